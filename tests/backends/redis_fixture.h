// Private Redis servers and Sentinels for tests: each in a folder of its own, on a free loopback
// port, without persistence, gone with the object or with the test process.
//
// Thread: the test's.
#pragma once

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "backends/temp_folder.h"
#include "loop/loop.h"

namespace lattice::backends {

// A socket that listens on loopback; `port` is 0 for a free one. -1: the port is taken.
inline int listen_on_loopback(int port = 0) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  REQUIRE(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
      listen(fd, 16) != 0) {
    close(fd);
    return -1;
  }
  return fd;
}

inline int port_of(int fd) {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  REQUIRE(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return ntohs(address.sin_port);
}

// Below those that the kernel gives to outgoing connections: a client that tries again and again to
// reach a server that is down would now and then be given the server's own port, and reach itself.
inline int free_port() {
  static int next = getpid() % 10000;
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const int port = 20000 + next++ % 10000;
    const int fd = listen_on_loopback(port);
    if (fd < 0) continue;
    close(fd);
    return port;
  }
  FAIL("no free port");
  return 0;
}

class RedisServer {
 public:
  // `settings`: lines for redis.conf. A Sentinel is the same program.
  explicit RedisServer(std::string settings = {}, bool sentinel = false)
      : settings_(std::move(settings)), sentinel_(sentinel) {
    start();
  }
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;
  ~RedisServer() { stop(); }

  // On the port that it had before, if it had one.
  void start() {
    for (int attempt = 0; attempt < 3; ++attempt) {
      if (port_ == 0) port_ = free_port();
      const std::string config = folder_.path() + "/redis.conf";
      std::ofstream(config) << "port " << port_ << "\nbind 127.0.0.1\ndir " << folder_.path()
                            << (sentinel_ ? "\n" : "\nsave \"\"\nappendonly no\n") << settings_
                            << "\n";
      spawn(config);
      if (wait_until_ready()) return;
      stop();
      port_ = 0;
    }
    FAIL("redis-server did not start: " << log());
  }
  void stop(int signal = SIGKILL) {
    if (pid_ <= 0) return;
    kill(pid_, SIGCONT);
    kill(pid_, signal);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  void freeze() { kill(pid_, SIGSTOP); }
  void thaw() { kill(pid_, SIGCONT); }

  int port() const { return port_; }
  std::string url(const std::string& login = {}) const {
    return "redis://" + login + "127.0.0.1:" + std::to_string(port_);
  }
  std::string log() const {
    std::ifstream in(folder_.path() + "/log");
    return std::string((std::istreambuf_iterator<char>(in)), {});
  }
  // As a stranger would; answers what the server said, as text.
  std::string command(const std::vector<std::string>& words) const {
    const timeval patience{5, 0};
    const std::unique_ptr<redisContext, void (*)(redisContext*)> context(
        redisConnectWithTimeout("127.0.0.1", port_, patience), redisFree);
    if (context == nullptr || context->err != 0) return "no connection";
    std::vector<const char*> texts;
    std::vector<size_t> sizes;
    for (const std::string& word : words) {
      texts.push_back(word.data());
      sizes.push_back(word.size());
    }
    const std::unique_ptr<redisReply, void (*)(void*)> reply(
        static_cast<redisReply*>(redisCommandArgv(context.get(), static_cast<int>(words.size()),
                                                  texts.data(), sizes.data())),
        freeReplyObject);
    if (reply == nullptr) return "no reply";
    return reply->str != nullptr ? std::string(reply->str, static_cast<size_t>(reply->len))
                                 : std::to_string(reply->integer);
  }

 private:
  void spawn(const std::string& config) {
    const std::string log_path = folder_.path() + "/log";
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child > 0) {
      pid_ = child;
      return;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int log_file = open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (dup2(log_file, 1) < 0 || dup2(log_file, 2) < 0) _exit(126);
    const char* arguments[] = {"redis-server", config.c_str(), sentinel_ ? "--sentinel" : nullptr,
                               nullptr};
    execvp(arguments[0], const_cast<char**>(arguments));
    _exit(127);
  }
  bool wait_until_ready() const {
    for (int i = 0; i < 600; ++i) {
      const std::string answer = command({"PING"});
      if (answer == "PONG" || answer.starts_with("NOAUTH")) return true;
      if (waitpid(pid_, nullptr, WNOHANG) != 0) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return false;
  }

  TempFolder folder_;
  const std::string settings_;
  const bool sentinel_;
  int port_ = 0;
  pid_t pid_ = -1;
};

// Accepts on a free port and answers whatever arrives with the same bytes.
class CannedServer {
 public:
  CannedServer(loop::Loop& loop, std::string answer)
      : loop_(loop), answer_(std::move(answer)), fd_(listen_on_loopback()) {
    watch_ = loop_.watch(fd_, [this](bool, bool) { accept_one(); });
    watch_->want(true, false);
  }
  ~CannedServer() {
    for (const auto& client : clients_) close(client->fd);
    watch_.reset();
    close(fd_);
  }
  int port() const { return port_of(fd_); }
  int accepted() const { return static_cast<int>(clients_.size()); }

 private:
  struct Client {
    int fd = -1;
    std::unique_ptr<loop::FdWatch> watch;
  };
  void accept_one() {
    auto client = std::make_unique<Client>();
    client->fd = accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    client->watch = loop_.watch(client->fd, [this, raw = client.get()](bool, bool) {
      char buffer[4096];
      if (recv(raw->fd, buffer, sizeof(buffer), 0) > 0) {
        (void)send(raw->fd, answer_.data(), answer_.size(), MSG_NOSIGNAL);
      } else {
        raw->watch->want(false, false);
      }
    });
    client->watch->want(true, false);
    clients_.push_back(std::move(client));
  }

  loop::Loop& loop_;
  const std::string answer_;
  const int fd_;
  std::unique_ptr<loop::FdWatch> watch_;
  std::vector<std::unique_ptr<Client>> clients_;
};

inline bool turn_until(loop::Loop& loop, const std::function<bool()>& there,
                       std::chrono::milliseconds patience = std::chrono::seconds(30)) {
  const Instant end = loop.fresh_now() + patience;
  while (!there()) {
    if (loop.fresh_now() > end) return false;
    loop.turn();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

inline void turn_for(loop::Loop& loop, std::chrono::milliseconds time) {
  (void)turn_until(
      loop, [] { return false; }, time);
}

}  // namespace lattice::backends
