#include "proxy/tls_transport.h"

#include <sys/socket.h>

#include <utility>

#include "tls/stream.h"

namespace lattice::proxy {
namespace {

// As Go's own server answers it; etcd closes without a word.
constexpr std::string_view not_tls_answer =
    "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";

std::string_view label(tls::Failure::Kind kind) {
  switch (kind) {
    case tls::Failure::Kind::not_tls:
      return "not_tls";
    case tls::Failure::Kind::their_identity:
      return "peer_certificate";
    case tls::Failure::Kind::our_identity:
      return "own_certificate";
    case tls::Failure::Kind::protocol:
      return "protocol";
    case tls::Failure::Kind::lost:
      return "lost";
  }
  return {};
}

class TlsTransport final : public Transport {
 public:
  // `handshakes`: null for clients.
  TlsTransport(std::shared_ptr<const tls::Context> context, int fd, const std::string& host,
               loop::SideThread* handshakes)
      : stream_(std::make_shared<tls::Stream>(std::move(context), fd, host)),
        handshakes_(handshakes),
        answers_plain_(host.empty()) {
    if (handshakes_ != nullptr) stream_->leave_steps();
  }

  int fd() const override { return stream_->fd(); }

  IoResult receive(std::span<char> into) override {
    if (stepping()) return {};
    const IoResult result = convert(stream_->receive(into));
    note();
    return result;
  }

  IoResult send(std::span<const iovec> parts) override {
    if (stepping()) return {};
    const IoResult result = convert(stream_->send(parts));
    note();
    return result;
  }

  bool has_buffered_input() const override { return !stepping() && stream_->has_buffered_input(); }
  void end_output() override {
    if (!stepping()) stream_->end_output();
  }
  bool wants_writable(bool waiting) const override {
    return !stepping() && (stream_->has_pending_output() || (waiting && stream_->established()));
  }
  bool secure() const override { return true; }
  bool handshaking() const override { return stepping() || !stream_->established(); }
  bool stepping() const override { return step_ != nullptr; }
  void when_stepped(loop::Task stepped) override { stepped_ = std::move(stepped); }
  std::optional<TransportFailure> take_failure() override {
    return std::exchange(failure_, std::nullopt);
  }

  std::shared_ptr<const PeerCertificate> peer_certificate() const override { return certificate_; }
  std::string_view server_name() const override { return server_name_; }

 private:
  static IoResult convert(tls::Stream::Io io) {
    switch (io.kind) {
      case tls::Stream::Kind::moved:
        return {IoResult::Kind::moved, io.bytes};
      case tls::Stream::Kind::would_block:
        return {IoResult::Kind::would_block};
      case tls::Stream::Kind::end:
        return {IoResult::Kind::end};
      case tls::Stream::Kind::failed:
        break;
    }
    return {IoResult::Kind::failed};
  }

  // What a step of the handshake has brought about, once.
  void note() {
    if (!stream_->failure().cause.empty()) return on_failure();
    if (noted_) return;
    if (stream_->step_waits()) return begin_step();
    if (!stream_->established()) return;
    noted_ = true;
    server_name_ = stream_->server_name();
    if (std::optional<tls::Names> names = stream_->peer()) {
      auto certificate = std::make_shared<PeerCertificate>();
      certificate->common_name = std::move(names->common_name);
      certificate->dns_names = std::move(names->dns_names);
      certificate->uris = std::move(names->uris);
      certificate_ = std::move(certificate);
    }
  }

  void begin_step() {
    step_ = handshakes_->start([stream = stream_] { stream->step(); },
                               [this, stream = stream_] {
                                 step_.reset();
                                 stepped_();
                               });
  }

  void on_failure() {
    if (std::exchange(failed_, true)) return;
    const tls::Failure& failure = stream_->failure();
    if (failure.kind == tls::Failure::Kind::not_tls && answers_plain_) {
      // It either fits into an empty socket or is lost with it.
      (void)::send(stream_->fd(), not_tls_answer.data(), not_tls_answer.size(), MSG_NOSIGNAL);
    }
    // Who says nothing and leaves looked whether somebody listens, as balancers do.
    const bool began = stream_->heard() && !stream_->established();
    if (failure.kind == tls::Failure::Kind::lost && !began) return;
    failure_ = TransportFailure{label(failure.kind), failure.cause, failure.asked, failure.offered,
                                failure.describe()};
  }

  const std::shared_ptr<tls::Stream> stream_;
  loop::SideThread* const handshakes_;
  const bool answers_plain_;
  bool noted_ = false;
  bool failed_ = false;
  std::shared_ptr<const PeerCertificate> certificate_;
  std::string server_name_;
  std::optional<TransportFailure> failure_;
  std::unique_ptr<loop::SideJob> step_;  // has the stream, while there is one
  loop::Task stepped_;
};

}  // namespace

std::unique_ptr<Transport> make_tls_transport(std::shared_ptr<const tls::Context> context, int fd,
                                              loop::SideThread& handshakes) {
  return std::make_unique<TlsTransport>(std::move(context), fd, std::string(), &handshakes);
}

std::unique_ptr<Transport> make_tls_transport(std::shared_ptr<const tls::Context> context, int fd,
                                              const std::string& host) {
  return std::make_unique<TlsTransport>(std::move(context), fd, host, nullptr);
}

}  // namespace lattice::proxy
