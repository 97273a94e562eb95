// A node that misbehaves below the protocol: accepts connections and does with them what a test
// says. Thread: the loop's.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "loop/loop.h"
#include "proxy/socket_address.h"

namespace lattice::peer {

class RawNode {
 public:
  // `on_bytes` answers whether to keep the connection.
  using OnBytes = std::function<bool(int fd, std::string_view bytes)>;
  RawNode(loop::Loop& loop, OnBytes on_bytes, bool accept_and_close = false)
      : loop_(loop), on_bytes_(std::move(on_bytes)), fd_(*proxy::listen_tcp("127.0.0.1:0", false)) {
    watch_ = loop.watch(fd_, [this, accept_and_close](bool, bool) {
      const int fd = accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      ++accepted;
      if (accept_and_close) {
        close(fd);
        return;
      }
      connections_[fd] = loop_.watch(fd, [this, fd](bool, bool) { read(fd); });
      connections_[fd]->want(true, false);
    });
    watch_->want(true, false);
  }
  ~RawNode() {
    watch_.reset();
    while (!connections_.empty()) drop(connections_.begin()->first);
    close(fd_);
  }
  std::string address() const { return proxy::local_address(fd_); }
  void drop(int fd) {
    connections_.erase(fd);
    close(fd);
  }
  int accepted = 0;

 private:
  void read(int fd) {
    char buffer[65536];
    const ssize_t size = recv(fd, buffer, sizeof buffer, 0);
    if (size < 0) return;
    if (size == 0 || !on_bytes_(fd, {buffer, static_cast<size_t>(size)})) drop(fd);
  }

  loop::Loop& loop_;
  OnBytes on_bytes_;
  int fd_;
  std::unique_ptr<loop::FdWatch> watch_;
  std::map<int, std::unique_ptr<loop::FdWatch>> connections_;
};

// Forwards both directions between a client and another node; `alter` may change what passes.
class Relay {
 public:
  using Alter = std::function<void(bool to_server, std::string* bytes)>;
  Relay(loop::Loop& loop, const std::string& target, Alter alter)
      : loop_(loop),
        port_(std::stoi(target.substr(target.rfind(':') + 1))),
        alter_(std::move(alter)),
        node_(loop, [this](int fd, std::string_view bytes) { return forward(fd, bytes); }) {}
  ~Relay() { cut(); }
  std::string address() const { return node_.address(); }
  // Both directions, all connections.
  void cut() {
    while (!outward_.empty()) {
      const auto entry = outward_.begin();
      const int inner = entry->first, outer = entry->second.fd;
      outward_.erase(entry);
      close(outer);
      node_.drop(inner);
    }
  }

 private:
  struct Outward {
    int fd = -1;
    std::unique_ptr<loop::FdWatch> watch;
  };
  static void write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN) return;
      if (sent > 0) bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }
  bool forward(int fd, std::string_view bytes) {
    auto found = outward_.find(fd);
    if (found == outward_.end()) {
      const int outer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_in to{};
      to.sin_family = AF_INET;
      to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      to.sin_port = htons(static_cast<uint16_t>(port_));
      if (connect(outer, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) return false;
      found =
          outward_
              .emplace(fd, Outward{outer, loop_.watch(outer, [this, fd, outer](
                                                                 bool, bool) { back(fd, outer); })})
              .first;
      found->second.watch->want(true, false);
    }
    std::string copy(bytes);
    if (alter_) alter_(true, &copy);
    write_all(found->second.fd, copy);
    return true;
  }
  void back(int fd, int outer) {
    char buffer[65536];
    const ssize_t size = recv(outer, buffer, sizeof buffer, MSG_DONTWAIT);
    if (size < 0) return;
    if (size == 0) {
      outward_.erase(fd);
      close(outer);
      node_.drop(fd);
      return;
    }
    std::string copy(buffer, static_cast<size_t>(size));
    if (alter_) alter_(false, &copy);
    write_all(fd, copy);
  }

  loop::Loop& loop_;
  int port_;
  Alter alter_;
  std::map<int, Outward> outward_;
  RawNode node_;
};

}  // namespace lattice::peer
