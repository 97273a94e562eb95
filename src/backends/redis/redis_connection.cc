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

RedisConnection::RedisConnection(loop::Loop& loop, const Host& host,
                                 std::shared_ptr<const tls::Context> tls, Events events)
    : loop_(loop),
      events_(std::move(events)),
      host_(host.host),
      tls_(std::move(tls)),
      reader_(redisReaderCreate()) {
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
  stream_.reset();
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
    const tls::Stream::Io io = send_some();
    if (io.kind == tls::Stream::Kind::would_block) break;
    if (io.kind != tls::Stream::Kind::moved) {
      fail(loss(errno));
      return;
    }
    written_ += io.bytes;
  }
  // What is left moves to the front rarely enough to cost nothing.
  if (written_ == out_.size() || written_ > out_.size() / 2) {
    out_.erase(0, written_);
    written_ = 0;
  }
  const bool waits = stream_ != nullptr && stream_->has_pending_output();
  watch_->want(true, pending_bytes() > 0 || waits);
}

// ---- In ----

void RedisConnection::on_socket(bool readable, bool writable) {
  if (state_ == State::connecting) {
    finish_connecting();
    return;
  }
  if (state_ == State::securing) {
    secure();
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
  if (tls_ == nullptr) {
    become_open();
    return;
  }
  state_ = State::securing;
  stream_ = std::make_unique<tls::Stream>(tls_, std::exchange(fd_, -1), host_);
  secure();
}

void RedisConnection::secure() {
  const tls::Stream::Io io = stream_->send({});
  if (io.kind == tls::Stream::Kind::failed) {
    fail(loss(0));
  } else if (stream_->established()) {
    become_open();
  } else {
    watch_->want(true, stream_->has_pending_output());
  }
}

void RedisConnection::become_open() {
  state_ = State::open;
  flush();
  if (state_ == State::open) events_.connected();
}

// ---- Either way ----

tls::Stream::Io RedisConnection::send_some() {
  using Kind = tls::Stream::Kind;
  if (stream_ != nullptr) {
    const iovec part{out_.data() + written_, pending_bytes()};
    return stream_->send({&part, 1});
  }
  const ssize_t sent = ::send(fd_, out_.data() + written_, pending_bytes(), MSG_NOSIGNAL);
  if (sent > 0) return {Kind::moved, static_cast<size_t>(sent)};
  const bool later = sent == 0 || errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
  return {later ? Kind::would_block : Kind::failed};
}

tls::Stream::Io RedisConnection::receive_some(std::span<char> into) {
  using Kind = tls::Stream::Kind;
  if (stream_ != nullptr) return stream_->receive(into);
  const ssize_t got = recv(fd_, into.data(), into.size(), 0);
  if (got > 0) return {Kind::moved, static_cast<size_t>(got)};
  if (got == 0) return {Kind::end};
  const bool later = errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
  return {later ? Kind::would_block : Kind::failed};
}

std::string RedisConnection::loss(int error) const {
  return stream_ == nullptr ? text_of(error) : "TLS: " + stream_->failure().describe();
}

void RedisConnection::read() {
  char buffer[read_bytes];
  for (int i = 0; i < reads_per_turn_max; ++i) {
    const tls::Stream::Io io = receive_some(buffer);
    if (io.kind == tls::Stream::Kind::would_block) return;
    if (io.kind != tls::Stream::Kind::moved) {
      fail(io.kind == tls::Stream::Kind::end ? "it closed the connection" : loss(errno));
      return;
    }
    (void)redisReaderFeed(reader_.get(), buffer, io.bytes);
    if (!deliver()) return;
    const bool more = stream_ != nullptr && stream_->has_buffered_input();
    if (io.bytes < sizeof(buffer) && !more) return;
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
