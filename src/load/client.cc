#include "load/client.h"

namespace lattice::load {
namespace {

// Longer than any pause that a healthy server makes; a compaction or a checkpoint takes seconds.
constexpr uint64_t stall_seconds = 60;

// A unary call whose answer is kept.
class WaitedCall : public Call {
 public:
  void on_message(std::string_view message) override { answer_ = message; }
  void on_end(int grpc_status, std::string_view grpc_message) override {
    ended_ = true;
    status_ = grpc_status;
    if (status_ != 0) answer_ = grpc_message;
  }
  bool ended() const { return ended_; }
  int status() const { return status_; }
  std::string& answer() { return answer_; }

 private:
  bool ended_ = false;
  int status_ = -1;
  std::string answer_;
};

void wake(evutil_socket_t, short, void*) {}

}  // namespace

Client::Client() : base_(event_base_new()) {
  tick_.reset(event_new(base_.get(), -1, EV_PERSIST, wake, nullptr));
  const timeval interval{0, 1000};
  event_add(tick_.get(), &interval);
}

Client::~Client() = default;

std::string Client::use_tls(const TlsOptions& options) {
  std::string why;
  tls_ = TlsClient::make(options, why);
  return why;
}

bool Client::open(const std::string& host, uint16_t port, size_t count, Windows windows) {
  const std::string authority = host + ":" + std::to_string(port);
  ConnectionOwner& owner = *this;
  for (size_t i = 0; i < count; ++i) {
    auto connection =
        std::make_unique<Connection>(owner, base_.get(), authority, tls_.get(), windows);
    if (!connection->open(host, port)) {
      error_ = "cannot connect to " + authority;
      return false;
    }
    connections_.push_back(std::move(connection));
  }
  return true;
}

bool Client::turn() {
  // A flush can mark nothing dirty but its own connection, after it was taken from the list.
  while (!dirty_.empty()) {
    Connection* connection = dirty_.back();
    dirty_.pop_back();
    connection->flush();
  }
  if (!error_.empty()) return false;
  event_base_loop(base_.get(), EVLOOP_ONCE);
  if (on_turn_) on_turn_();
  if (now_ns() - received_ns_ > stall_seconds * 1'000'000'000) error_ = "the server fell silent";
  return error_.empty();
}

bool Client::call(Connection& connection, std::string_view path, std::string body,
                  std::string& answer) {
  WaitedCall call;
  connection.start(call, path, std::move(body), false);
  if (!run_until([&] { return call.ended(); })) {
    answer = error_;
    return false;
  }
  answer = std::move(call.answer());
  return call.status() == 0;
}

}  // namespace lattice::load
