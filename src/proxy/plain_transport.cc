#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "proxy/transport.h"

namespace lattice::proxy {
namespace {

class PlainTransport final : public Transport {
 public:
  explicit PlainTransport(int fd) : fd_(fd) {}
  ~PlainTransport() override { close(fd_); }

  int fd() const override { return fd_; }

  IoResult receive(std::span<char> into) override {
    const ssize_t got = recv(fd_, into.data(), into.size(), 0);
    if (got == 0) return {IoResult::Kind::end};
    return result(got);
  }

  IoResult send(std::span<const iovec> parts) override {
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(parts.data());  // sendmsg does not write to it
    message.msg_iovlen = parts.size();
    return result(sendmsg(fd_, &message, MSG_NOSIGNAL));
  }

  void end_output() override { shutdown(fd_, SHUT_WR); }

 private:
  static IoResult result(ssize_t moved) {
    if (moved > 0) return {IoResult::Kind::moved, static_cast<size_t>(moved)};
    if (moved == 0 || errno == EAGAIN || errno == EINTR) return {IoResult::Kind::would_block};
    return {IoResult::Kind::failed};
  }

  int fd_;
};

}  // namespace

std::unique_ptr<Transport> make_plain_transport(int fd) {
  return std::make_unique<PlainTransport>(fd);
}

}  // namespace lattice::proxy
