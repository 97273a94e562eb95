#include "backends/redis/redis_connection.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <system_error>

namespace lattice::backends {
namespace {

constexpr size_t read_bytes = size_t{64} << 10;
// Then others on the loop have their turn.
constexpr int reads_per_turn_max = 8;

struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};

std::string text_of(int error) { return std::generic_category().message(error); }

void set_option(int fd, int level, int option, int value) {
  // Each is an improvement only.
  (void)setsockopt(fd, level, option, &value, sizeof(value));
}

// A peer that is gone is noticed even where nothing asks it anything.
void set_options(int fd) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 5);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 2);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

size_t framed_bytes(std::initializer_list<std::string_view> words) {
  constexpr size_t frame_bytes = 24;  // "$", 19 digits, two line ends: more than there ever are
  size_t bytes = frame_bytes;
  for (const std::string_view word : words) bytes += frame_bytes + word.size();
  return bytes;
}

void append_count(std::string* out, char kind, size_t count) {
  *out += kind;
  *out += std::to_string(count);
  *out += "\r\n";
}

}  // namespace

void RedisConnection::FreeReader::operator()(redisReader* reader) const { redisReaderFree(reader); }

RedisConnection::RedisConnection(loop::Loop& loop, const Host& host, Events events)
    : loop_(loop), events_(std::move(events)), reader_(redisReaderCreate()) {
  Status status = open_socket(host);
  if (status.ok()) return;
  loop_.defer([this, alive = std::weak_ptr<bool>(alive_), why = status.detail()] {
    if (!alive.expired()) fail(why);
  });
}

RedisConnection::~RedisConnection() { close(); }

Status RedisConnection::open_socket(const Host& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;  // so it does not block
  addrinfo* found = nullptr;
  const std::string& address = host.address.empty() ? host.host : host.address;
  if (const int code = getaddrinfo(address.c_str(), host.port.c_str(), &hints, &found); code != 0) {
    return Status(Error::backend_unavailable, gai_strerror(code));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, freeaddrinfo);
  fd_ = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return Status(Error::backend_unavailable, text_of(errno));
  set_options(fd_);
  if (connect(fd_, found->ai_addr, found->ai_addrlen) != 0 && errno != EINPROGRESS) {
    return Status(Error::backend_unavailable, text_of(errno));
  }
  watch_ = loop_.watch(fd_, [this](bool r, bool w) { on_socket(r, w); });
  watch_->want(false, true);
  return {};
}

void RedisConnection::close() {
  state_ = State::closed;
  watch_.reset();
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void RedisConnection::retire(loop::Loop& loop, std::unique_ptr<RedisConnection> connection) {
  if (connection == nullptr) return;
  connection->close();
  loop.defer([dead = std::move(connection)] {});
}

void RedisConnection::fail(std::string why) {
  if (state_ == State::closed) return;
  close();
  events_.closed(Status(Error::backend_unavailable, std::move(why)));
}

// ---- Out ----

bool RedisConnection::send(std::initializer_list<std::string_view> words) {
  if (state_ == State::closed || pending_bytes() + framed_bytes(words) > pending_bytes_max) {
    return false;
  }
  append_count(&out_, '*', words.size());
  for (const std::string_view word : words) {
    append_count(&out_, '$', word.size());
    out_ += word;
    out_ += "\r\n";
  }
  if (state_ == State::open) flush_soon();
  return true;
}

void RedisConnection::flush_soon() {
  if (flushing_soon_) return;
  flushing_soon_ = true;
  loop_.defer([this, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.expired()) return;
    flushing_soon_ = false;
    if (state_ == State::open) flush();
  });
}

void RedisConnection::flush() {
  while (pending_bytes() > 0) {
    const ssize_t sent = ::send(fd_, out_.data() + written_, pending_bytes(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (sent < 0) {
      fail(text_of(errno));
      return;
    }
    written_ += static_cast<size_t>(sent);
  }
  // What is left moves to the front rarely enough to cost nothing.
  if (written_ == out_.size() || written_ > out_.size() / 2) {
    out_.erase(0, written_);
    written_ = 0;
  }
  watch_->want(true, pending_bytes() > 0);
}

// ---- In ----

void RedisConnection::on_socket(bool readable, bool writable) {
  if (state_ == State::connecting) {
    finish_connecting();
    return;
  }
  if (state_ == State::open && readable) read();
  if (state_ == State::open && writable) flush();
}

void RedisConnection::finish_connecting() {
  int error = 0;
  socklen_t size = sizeof(error);
  if (getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error != 0) {
    fail(text_of(error));
    return;
  }
  state_ = State::open;
  flush();
  if (state_ == State::open) events_.connected();
}

void RedisConnection::read() {
  char buffer[read_bytes];
  for (int i = 0; i < reads_per_turn_max; ++i) {
    const ssize_t got = recv(fd_, buffer, sizeof(buffer), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (got <= 0) {
      fail(got == 0 ? "it closed the connection" : text_of(errno));
      return;
    }
    (void)redisReaderFeed(reader_.get(), buffer, static_cast<size_t>(got));
    if (!deliver()) return;
    if (static_cast<size_t>(got) < sizeof(buffer)) return;
  }
}

// False: the connection has ended.
bool RedisConnection::deliver() {
  while (true) {
    void* parsed = nullptr;
    if (redisReaderGetReply(reader_.get(), &parsed) != REDIS_OK) {
      fail(std::string("it does not speak Redis' protocol (") + reader_->errstr + ")");
      return false;
    }
    const std::unique_ptr<redisReply, FreeReply> reply(static_cast<redisReply*>(parsed));
    if (reply == nullptr) break;
    events_.reply(*reply);
    if (state_ == State::closed) return false;
  }
  // Every whole reply is out of it, so what it holds belongs to one.
  if (reader_->len - reader_->pos > reply_bytes_max) {
    fail("it sent more at once than anybody here reads");
    return false;
  }
  return true;
}

}  // namespace lattice::backends
