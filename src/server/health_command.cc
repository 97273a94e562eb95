#include "server/health_command.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <ostream>
#include <system_error>

#include "base/status.h"
#include "server/exit_status.h"

namespace lattice::server {
namespace {

constexpr timeval step_patience{.tv_sec = 3, .tv_usec = 0};  // for each step
constexpr size_t health_bytes_max = 64 << 10;
constexpr std::string_view healthy = "HTTP/1.1 200 ";

struct Socket {
  explicit Socket(int descriptor) : fd(descriptor) {}
  ~Socket() {
    if (fd >= 0) close(fd);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  const int fd;
};

struct AddressesDelete {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

Status failed(const char* step) {
  return {Error::io, std::string(step) + ": " + std::generic_category().message(errno)};
}

Result<std::unique_ptr<addrinfo, AddressesDelete>> resolve(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == address.npos) return Status(Error::invalid_argument, "expected host:port");
  std::string host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int trouble = getaddrinfo(host.c_str(), address.c_str() + colon + 1, &wanted, &found);
  if (trouble != 0) return Status(Error::io, gai_strerror(trouble));
  return std::unique_ptr<addrinfo, AddressesDelete>(found);
}

Status send_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent < 0) return failed("send");
    text.remove_prefix(static_cast<size_t>(sent));
  }
  return {};
}

// Everything that the server says until it closes.
Result<std::string> ask(const addrinfo& where, const std::string& request) {
  const Socket socket(::socket(where.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (socket.fd < 0) return failed("socket");
  setsockopt(socket.fd, SOL_SOCKET, SO_SNDTIMEO, &step_patience, sizeof step_patience);
  setsockopt(socket.fd, SOL_SOCKET, SO_RCVTIMEO, &step_patience, sizeof step_patience);
  if (connect(socket.fd, where.ai_addr, where.ai_addrlen) != 0) return failed("connect");
  if (Status status = send_all(socket.fd, request); !status.ok()) return status;
  std::string answer;
  char buffer[4096];
  while (answer.size() < health_bytes_max) {
    const ssize_t got = recv(socket.fd, buffer, sizeof buffer, 0);
    if (got < 0) return failed("receive");
    if (got == 0) break;
    answer.append(buffer, static_cast<size_t>(got));
  }
  return answer;
}

// The last that the addresses of `address` had to say; a host may have one that nobody serves.
Result<std::string> ask_any(const HealthCommand& command) {
  auto addresses = resolve(command.address);
  if (!addresses.ok()) return addresses.status();
  const std::string request = "GET " + command.path + " HTTP/1.1\r\nHost: " + command.address +
                              "\r\nConnection: close\r\n\r\n";
  Result<std::string> answer = Status(Error::io, "no address");
  for (const addrinfo* one = addresses->get(); one != nullptr; one = one->ai_next) {
    answer = ask(*one, request);
    if (answer.ok()) return answer;
  }
  return answer;
}

}  // namespace

int run_health_command(const HealthCommand& command, std::ostream& out, std::ostream& err) {
  const Result<std::string> answer = ask_any(command);
  if (!answer.ok()) {
    err << "error: " << command.address << ": " << answer.status().detail() << "\n";
    return exit_failure;
  }
  const size_t body = answer->find("\r\n\r\n");
  const std::string_view text =
      body == answer->npos ? std::string_view() : std::string_view(*answer).substr(body + 4);
  if (answer->starts_with(healthy)) {
    out << text << "\n";
    return 0;
  }
  err << "error: " << command.address << command.path << ": "
      << answer->substr(0, answer->find("\r\n")) << "\n"
      << text << "\n";
  return exit_failure;
}

}  // namespace lattice::server
