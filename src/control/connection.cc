#include "control/connection.h"

#include <chrono>
#include <optional>
#include <utility>

namespace lattice::control {
namespace {

// A page of documents, each as large as etcd lets them be.
constexpr size_t answer_bytes_max = 64 << 20;

}  // namespace

class Connection::UnaryCall final : public proxy::ClientStreamEvents {
 public:
  UnaryCall(Connection& owner, uint64_t id, Callback<Bytes> done)
      : owner_(owner), id_(id), done_(std::move(done)) {}

  void on_message(Bytes message) override { answer_ = std::move(message); }
  void on_end(const proxy::ClientStreamEnd& end) override {
    if (end.status.code == proxy::GrpcCode::ok && answer_) {
      return owner_.settle(id_, std::move(*answer_));
    }
    const bool silent = end.status.message.empty();
    owner_.settle(
        id_, Status(Error::backend_unavailable, silent ? "it ended the call" : end.status.message));
  }
  void begin(std::unique_ptr<proxy::ClientStream> stream,
             std::unique_ptr<loop::TimerHandle> timer) {
    stream_ = std::move(stream);
    timer_ = std::move(timer);
  }
  Callback<Bytes> take_done() { return std::move(done_); }

 private:
  Connection& owner_;
  const uint64_t id_;
  Callback<Bytes> done_;
  std::unique_ptr<proxy::ClientStream> stream_;
  std::unique_ptr<loop::TimerHandle> timer_;
  std::optional<Bytes> answer_;
};

Connection::Connection(proxy::ClientContext& context, const std::string& address,
                       std::shared_ptr<const tls::Source> tls, Duration connect_timeout,
                       absl::AnyInvocable<void(std::string reason)> on_lost)
    : loop_(context.loop) {
  proxy::ClientOptions options;
  options.connect_timeout = connect_timeout;
  // Calls have deadlines, and come often enough; etcd sends away who pings more often than that.
  options.ping_interval = {};
  options.message_bytes_max = answer_bytes_max;
  options.tls = std::move(tls);
  client_ = std::make_unique<proxy::Http2Client>(
      context, address, options,
      [on_lost = std::move(on_lost)](const Status& status) mutable { on_lost(status.detail()); });
}

Connection::~Connection() = default;

void Connection::close() {
  calls_.clear();
  client_->close();
}

std::unique_ptr<proxy::ClientStream> Connection::open(std::string_view path,
                                                      const std::string& first,
                                                      proxy::ClientStreamEvents& events) {
  std::unique_ptr<proxy::ClientStream> stream = client_->open(path, {}, events);
  stream->send(ByteChain(Bytes::copy(first)));
  return stream;
}

void Connection::ask(std::string_view path, const std::string& request, Duration timeout,
                     Callback<Bytes> done) {
  const uint64_t id = ++last_id_;
  if (!client_->accepts_streams()) {
    // It is about to be lost; the caller hears of it as it would of an answer.
    calls_.emplace(id, std::make_unique<UnaryCall>(*this, id, std::move(done)));
    calls_[id]->begin(nullptr, loop_.after({}, [this, id] {
      settle(id, Status(Error::backend_unavailable, "the connection is going away"));
    }));
    return;
  }
  auto call = std::make_unique<UnaryCall>(*this, id, std::move(done));
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
  std::unique_ptr<proxy::ClientStream> stream =
      client_->open(path, {{"grpc-timeout", std::to_string(milliseconds) + "m"}}, *call);
  stream->send(ByteChain(Bytes::copy(request)));
  stream->half_close();
  call->begin(std::move(stream), loop_.after(timeout, [this, id] {
    settle(id, Status(Error::backend_unavailable, "no answer in time"));
  }));
  calls_.emplace(id, std::move(call));
}

void Connection::settle(uint64_t id, Result<Bytes> result) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return;
  const std::unique_ptr<UnaryCall> call = std::move(found->second);
  calls_.erase(found);
  call->take_done()(std::move(result));
}

}  // namespace lattice::control
