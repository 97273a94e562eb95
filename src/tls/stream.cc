#include "tls/stream.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>
#include <utility>

#include "tls/names.h"
#include "tls/records.h"
#include "tls/socket_bio.h"

namespace lattice::tls {
namespace {

// Plaintext of one send(): what is encrypted and cannot leave costs memory.
constexpr size_t send_bytes = 64 << 10;
// Ciphertext that waits. send() stays below; only a peer that asks for answers and takes none
// reaches it.
constexpr size_t output_bytes_max = 256 << 10;
// Kept for the next send(); more is given back.
constexpr size_t output_bytes_kept = 4 << 10;
// A key update makes us work and answer. Honest peers do one in gigabytes.
constexpr uint64_t key_updates_free = 16;
constexpr uint64_t bytes_per_key_update = 1 << 20;

constexpr unsigned char handshake_record = 22;
constexpr unsigned char alert_record = 21;

}  // namespace

Stream::Stream(std::shared_ptr<const Context> context, int fd, const std::string& host)
    : context_(std::move(context)), fd_(fd), host_(host) {
  if (!context_->is_server()) make_ssl();
}

void Stream::make_ssl() {
  ssl_.reset(SSL_new(context_->get()));
  if (ssl_ == nullptr) throw std::bad_alloc();
  SSL_set_app_data(ssl_.get(), this);
  SSL_set_msg_callback_arg(ssl_.get(), this);
  BIO* bio = new_socket_bio(context_->socket_method(), *this);
  SSL_set_bio(ssl_.get(), bio, bio);
  if (context_->is_server()) {
    SSL_set_accept_state(ssl_.get());
    return;
  }
  SSL_set_connect_state(ssl_.get());
  X509_VERIFY_PARAM* expected = SSL_get0_param(ssl_.get());
  if (is_address(host_)) {
    X509_VERIFY_PARAM_set1_ip_asc(expected, host_.c_str());
    return;
  }
  SSL_set_tlsext_host_name(ssl_.get(), host_.c_str());
  X509_VERIFY_PARAM_set1_host(expected, host_.c_str(), host_.size());
  X509_VERIFY_PARAM_set_hostflags(
      expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
}

Stream::~Stream() { close(fd_); }

// ---- The socket ----

ssize_t Stream::pull(char* into, size_t size) {
  if (gathered_.empty()) return receive_some(into, size);
  const size_t taken = gathered_.copy(into, size);
  gathered_.erase(0, taken);
  if (gathered_.empty()) gathered_ = {};
  return static_cast<ssize_t>(taken);
}

ssize_t Stream::receive_some(char* into, size_t size) {
  if (input_ended_) return 0;
  if (reads_left_ == 0) return nothing_now;
  --reads_left_;
  const ssize_t got = recv(fd_, into, size, 0);
  if (got > 0) {
    const auto first = static_cast<unsigned char>(into[0]);
    if (!std::exchange(heard_, true) && first != handshake_record && first != alert_record) {
      fail(Failure::Kind::not_tls, "the other side does not speak TLS");
      return broken;
    }
    return got;
  }
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return nothing_now;
  input_ended_ = true;
  input_broken_ = got < 0;
  return 0;
}

bool Stream::push(std::string_view bytes) {
  if (output_.size() - sent_ + bytes.size() > output_bytes_max) return false;
  output_.append(bytes);
  return true;
}

// False: the connection is lost.
bool Stream::flush() {
  while (sent_ < output_.size()) {
    const ssize_t sent = ::send(fd_, output_.data() + sent_, output_.size() - sent_, MSG_NOSIGNAL);
    if (sent > 0) {
      sent_ += static_cast<size_t>(sent);
    } else if (errno == EAGAIN) {
      if (sent_ > output_.size() / 2) {
        output_.erase(0, sent_);
        sent_ = 0;
      }
      return true;
    } else if (errno != EINTR) {
      return false;
    }
  }
  sent_ = 0;
  // An idle connection holds no buffer.
  if (output_.capacity() > output_bytes_kept) {
    output_ = {};
  } else {
    output_.clear();
  }
  return true;
}

// ---- The handshake ----

void Stream::begin() {
  ERR_clear_error();
  reads_left_ = 1;
  more_input_ = false;
}

bool Stream::has_first_record() const {
  if (gathered_.size() < SSL3_RT_HEADER_LENGTH) return false;
  const auto byte = [this](size_t at) { return size_t{static_cast<unsigned char>(gathered_[at])}; };
  const size_t length = byte(3) << 8U | byte(4);
  // What is no record of a handshake, or too long, is OpenSSL's to refuse.
  return byte(0) != SSL3_RT_HANDSHAKE || length > SSL3_RT_MAX_PLAIN_LENGTH ||
         gathered_.size() >= SSL3_RT_HEADER_LENGTH + length;
}

bool Stream::gather() {
  std::array<char, 16 << 10> buffer;
  const ssize_t got = receive_some(buffer.data(), buffer.size());
  if (got == 0) fail(Failure::Kind::lost, "the connection ended");
  if (failed_) return false;
  // An answer that was too much for output_ goes on without more.
  if (got < 0) {
    return ssl_ != nullptr && SSL_want_write(ssl_.get()) && flush() && !has_pending_output();
  }
  gathered_.append(buffer.data(), static_cast<size_t>(got));
  return ssl_ != nullptr || has_first_record();
}

bool Stream::handshake() {
  if (established_ || failed_) return !failed_;
  if (context_->is_server()) {
    if (!gather()) return false;
    step_waits_ = leaves_steps_;
    if (step_waits_) return false;
  }
  step();
  return established_ && !failed_;
}

void Stream::step() {
  step_waits_ = false;
  ERR_clear_error();
  if (ssl_ == nullptr) make_ssl();
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) {
    on_established();
  } else {
    (void)outcome(result);
  }
  failed_apart_ = failed_ && leaves_steps_;
}

void Stream::on_established() {
  established_ = true;
  const X509* theirs = SSL_get0_peer_certificate(ssl_.get());
  // What a resumed session verified may have run out since.
  if (theirs != nullptr && X509_cmp_current_time(X509_get0_notAfter(theirs)) < 0) {
    refused_names_ = names_of(theirs).describe();
    fail(Failure::Kind::their_identity, "the other side's certificate is refused: it has expired");
  }
}

int Stream::on_verify(int verified, X509_STORE_CTX* store) {
  if (verified == 1) return 1;
  auto* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* stream = static_cast<Stream*>(SSL_get_app_data(ssl));
  stream->refused_ = X509_verify_cert_error_string(X509_STORE_CTX_get_error(store));
  const X509* certificate = X509_STORE_CTX_get0_cert(store);
  if (certificate != nullptr) stream->refused_names_ = names_of(certificate).describe();
  return 0;
}

void Stream::on_protocol_message(int written, int, int content_type, const void* bytes, size_t size,
                                 SSL* ssl, void* stream) {
  if (written != 0 || content_type != SSL3_RT_HANDSHAKE || size == 0) return;
  if (*static_cast<const unsigned char*>(bytes) != SSL3_MT_KEY_UPDATE) return;
  auto* self = static_cast<Stream*>(stream);
  if (++self->key_updates_ <= key_updates_free + self->received_ / bytes_per_key_update) return;
  self->fail(Failure::Kind::protocol, "too many key updates");
  // Or OpenSSL goes through all that it has in its buffer: hundreds more, milliseconds.
  SSL_set_shutdown(ssl, SSL_RECEIVED_SHUTDOWN);
}

// ---- What came of it ----

// Of a call of OpenSSL that did not succeed.
Stream::Kind Stream::outcome(int result) {
  if (failed_) return Kind::failed;
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return Kind::would_block;
    case SSL_ERROR_ZERO_RETURN:
      if (established_ && !input_broken_) return Kind::end;
      return fail(Failure::Kind::lost, "the connection ended");
    case SSL_ERROR_SSL:
      return fail(take_failure(refused_));
    default:
      return fail(Failure::Kind::lost, "the connection ended");
  }
}

Stream::Kind Stream::fail(Failure::Kind kind, std::string cause) {
  return fail({kind, std::move(cause), {}, {}});
}

Stream::Kind Stream::fail(Failure failure) {
  if (std::exchange(failed_, true)) return Kind::failed;
  failure_ = std::move(failure);
  failure_.asked = context_->is_server() ? server_name() : host_;
  if (failure_.kind == Failure::Kind::their_identity) {
    failure_.offered = refused_names_;
  } else if (context_->expiry() != 0) {
    failure_.offered = context_->names().describe();
  }
  return Kind::failed;
}

bool Stream::given_up() { return failed_ && !std::exchange(failed_apart_, false); }

// ---- In ----

Stream::Io Stream::receive(std::span<char> into) {
  if (given_up()) return discard(into);
  begin();
  Io io = handshake() ? read(into) : Io{failed_ ? Kind::failed : Kind::would_block};
  // Also the alert that tells the other side what was wrong.
  if (!flush() && io.kind == Kind::would_block) {
    io.kind = fail(Failure::Kind::lost, "the connection ended");
  }
  return io;
}

Stream::Io Stream::read(std::span<char> into) {
  Io io;
  while (io.bytes < into.size()) {
    size_t got = 0;
    const int result =
        SSL_read_ex(ssl_.get(), into.data() + io.bytes, into.size() - io.bytes, &got);
    // Also where OpenSSL goes on after a message that we do not stand.
    io.kind = failed_ ? Kind::failed : result == 1 ? Kind::moved : outcome(result);
    if (io.kind != Kind::moved) break;
    io.bytes += got;
    received_ += got;
  }
  if (io.bytes == 0) return io;
  // The end and the failure come with the next call, which the socket need not announce.
  more_input_ = io.kind != Kind::would_block;
  return {Kind::moved, io.bytes};
}

// After a failure: reads away what still comes, so that the last alert is not overtaken by a reset.
Stream::Io Stream::discard(std::span<char> into) {
  more_input_ = false;
  const ssize_t got = recv(fd_, into.data(), into.size(), 0);
  const bool waits = got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
  return {waits ? Kind::would_block : Kind::end};
}

// ---- Out ----

Stream::Io Stream::send(std::span<const iovec> parts) {
  if (given_up()) return {Kind::failed};
  begin();
  Io io;
  const bool ready = handshake();
  bool alive = flush();
  if (alive && ready && !has_pending_output()) {
    // What an earlier call has taken is in front of `parts`, and is told first.
    if (taken_ == 0) encrypt(parts, &io);
    alive = flush();
  }
  if (failed_ || io.kind == Kind::failed) return {Kind::failed};
  if (!alive) return {fail(Failure::Kind::lost, "the connection ended")};
  taken_ += io.bytes;
  if (taken_ == 0 || has_pending_output()) return {Kind::would_block};
  return {Kind::moved, std::exchange(taken_, 0)};
}

void Stream::encrypt(std::span<const iovec> parts, Io* io) {
  Records records(parts);
  output_.reserve(std::min(records.left(), send_bytes) * 17 / 16 + output_bytes_kept);
  while (io->bytes < send_bytes) {
    const std::string_view record = records.next();
    if (record.empty()) return;
    size_t written = 0;
    const int result = SSL_write_ex(ssl_.get(), record.data(), record.size(), &written);
    if (result != 1) {
      io->kind = outcome(result);
      return;
    }
    io->bytes += written;
  }
}

void Stream::end_output() {
  ERR_clear_error();
  reads_left_ = 0;
  if (established_ && !failed_) SSL_shutdown(ssl_.get());
  (void)flush();
  ERR_clear_error();
  shutdown(fd_, SHUT_WR);
}

// ---- Who they are ----

std::optional<Names> Stream::peer() const {
  const X509* certificate = SSL_get0_peer_certificate(ssl_.get());
  if (certificate == nullptr) return std::nullopt;
  return names_of(certificate);
}

std::string Stream::server_name() const {
  const char* name =
      ssl_ == nullptr ? nullptr : SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
  std::string lower = name == nullptr ? "" : name;
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    // It goes into logs.
    if (c <= ' ' || c > '~') c = '?';
  }
  return lower;
}

}  // namespace lattice::tls
