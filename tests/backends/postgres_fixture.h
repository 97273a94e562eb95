// A private PostgreSQL server for tests: initdb into a folder of its own, started on a free
// loopback port and a Unix socket in that folder, gone with the object or with the test process.
// Works for root too, where PostgreSQL itself refuses to run: it then runs as the user `postgres`.
//
// Thread: the test's.
#pragma once

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <grp.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "backends/temp_folder.h"

namespace lattice::backends {

class PostgresServer {
 public:
  // `settings`: lines for postgresql.conf.
  explicit PostgresServer(std::string settings = {}) : settings_(std::move(settings)) {
    initialise({binary("initdb"), "--pgdata=" + data(), "--username=lattice", "--auth=trust",
                "--encoding=UTF8", "--locale=C", "--no-sync"});
  }
  // A hot standby that streams from `primary`.
  struct StandbyOf {
    const PostgresServer& primary;
  };
  explicit PostgresServer(StandbyOf of)
      : settings_("primary_conninfo = '" + of.primary.socket_url("postgres") + "'") {
    initialise({binary("pg_basebackup"), "--pgdata=" + data(), "--checkpoint=fast", "--no-sync",
                "--dbname=" + of.primary.socket_url("postgres")},
               "/standby.signal");
  }
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;
  ~PostgresServer() { stop(SIGQUIT); }

  void start() {
    std::ofstream(data() + "/postgresql.auto.conf") << settings_ << "\n";
    // A free port may be taken between the choice and the start, hence the attempts.
    for (int attempt = 0; attempt < 3; ++attempt) {
      if (port_ == 0) port_ = free_port();
      server_ = spawn({binary("postgres"), "-D", data(), "-c", "listen_addresses=127.0.0.1", "-c",
                       "port=" + std::to_string(port_), "-c",
                       "unix_socket_directories=" + folder_.path(), "-c", "max_connections=50"});
      if (wait_until_ready()) return;
      stop(SIGQUIT);
      port_ = 0;
    }
    FAIL("PostgreSQL did not start: " << log());
  }
  // SIGINT: fast shutdown. SIGQUIT: as after a crash. SIGKILL: a crash of the postmaster.
  void stop(int signal = SIGINT) {
    if (server_ <= 0) return;
    kill(server_, signal);
    waitpid(server_, nullptr, 0);
    server_ = -1;
  }
  // Replaces the settings and makes the server read them.
  void reload(std::string settings) {
    settings_ = std::move(settings);
    std::ofstream(data() + "/postgresql.auto.conf") << settings_ << "\n";
    kill(server_, SIGHUP);
  }

  int port() const { return port_; }
  std::string url(const std::string& database) const {
    return "postgresql://lattice@127.0.0.1:" + std::to_string(port_) + "/" + database;
  }
  std::string socket_url(const std::string& database) const {
    return "host=" + folder_.path() + " port=" + std::to_string(port_) +
           " user=lattice dbname=" + database;
  }
  // A new, empty database; answers its name.
  std::string create_database() {
    const std::string name = "test" + std::to_string(++databases_);
    sql("postgres", "CREATE DATABASE " + name);
    return name;
  }
  // Rows as "a|b", one per line. The statement must succeed.
  std::string sql(const std::string& database, const std::string& text) const {
    PGconn* connection = PQconnectdb(socket_url(database).c_str());
    REQUIRE_MESSAGE(PQstatus(connection) == CONNECTION_OK, PQerrorMessage(connection));
    PQsetNoticeProcessor(
        connection, [](void*, const char*) {}, nullptr);
    PGresult* result = PQexec(connection, text.c_str());
    const ExecStatusType status = PQresultStatus(result);
    const std::string error = PQresultErrorMessage(result);
    std::string rows;
    for (int row = 0; row < PQntuples(result); ++row) {
      for (int column = 0; column < PQnfields(result); ++column) {
        if (column > 0) rows += '|';
        rows += PQgetvalue(result, row, column);
      }
      rows += '\n';
    }
    PQclear(result);
    PQfinish(connection);
    REQUIRE_MESSAGE((status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK), error);
    return rows;
  }
  std::string log() const {
    std::ifstream in(folder_.path() + "/log");
    return std::string((std::istreambuf_iterator<char>(in)), {});
  }

 private:
  static std::string binary(const std::string& name) {
    std::string newest;
    for (const auto& entry : std::filesystem::directory_iterator("/usr/lib/postgresql")) {
      const std::string path = entry.path().string() + "/bin/" + name;
      if (access(path.c_str(), X_OK) == 0 && path > newest) newest = path;
    }
    REQUIRE_MESSAGE(!newest.empty(), "PostgreSQL is not installed: scripts/install.sh test");
    return newest;
  }
  static int free_port() {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    REQUIRE(bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    close(fd);
    return ntohs(address.sin_port);
  }
  std::string data() const { return folder_.path() + "/data"; }
  // Runs the program that makes the data folder, adds an empty file to it, and starts the server.
  void initialise(const std::vector<std::string>& command, const char* mark = nullptr) {
    if (geteuid() == 0) {
      owner_ = getpwnam("postgres");
      REQUIRE_MESSAGE(owner_ != nullptr, "running as root needs the user postgres");
      REQUIRE(chown(folder_.path().c_str(), owner_->pw_uid, owner_->pw_gid) == 0);
    }
    const int initialised = wait_for(spawn(command));
    REQUIRE_MESSAGE(initialised == 0, log());
    if (mark != nullptr) std::ofstream(data() + mark).flush();
    start();
  }

  pid_t spawn(const std::vector<std::string>& command) const {
    std::vector<char*> arguments;
    for (const std::string& argument : command) {
      arguments.push_back(const_cast<char*>(argument.c_str()));
    }
    arguments.push_back(nullptr);
    const std::string log_path = folder_.path() + "/log";
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child > 0) return child;
    if (owner_ != nullptr && (setgroups(0, nullptr) != 0 || setgid(owner_->pw_gid) != 0 ||
                              setuid(owner_->pw_uid) != 0)) {
      _exit(126);
    }
    prctl(PR_SET_PDEATHSIG, SIGQUIT);
    const int log_file = open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (dup2(log_file, 1) < 0 || dup2(log_file, 2) < 0 || chdir("/") != 0) _exit(126);
    execv(arguments[0], arguments.data());
    _exit(127);
  }
  static int wait_for(pid_t child) {
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  bool wait_until_ready() const {
    for (int i = 0; i < 1200; ++i) {
      if (PQping(socket_url("postgres").c_str()) == PQPING_OK) return true;
      if (waitpid(server_, nullptr, WNOHANG) != 0) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return false;
  }

  TempFolder folder_;
  std::string settings_;
  passwd* owner_ = nullptr;
  int port_ = 0;
  int databases_ = 0;
  pid_t server_ = -1;
};

}  // namespace lattice::backends
