#include "unary_load.h"

#include "clock.h"

namespace lattice::bench {

// One request in flight.
class UnaryLoad::Slot : public Call {
 public:
  Slot(UnaryLoad& load, Connection& connection) : load_(load), connection_(connection) {}

  void start() {
    request_.body.clear();
    answered_ = false;
    if (!load_.workload_.next(request_)) {
      load_.stopping_ = true;
      return;
    }
    ++load_.started_;
    ++load_.in_flight_;
    sent_ns_ = now_ns();
    connection_.start(*this, request_.path, std::move(request_.body), false);
  }

  void on_message(std::string_view message) override {
    answered_ = true;
    const std::string_view wrong = load_.workload_.check(request_, message);
    if (!wrong.empty()) load_.meter_.fail(wrong);
  }

  void on_end(int grpc_status, std::string_view grpc_message) override {
    --load_.in_flight_;
    if (grpc_status != 0) {
      load_.meter_.fail("grpc-status " + std::to_string(grpc_status) + ": " +
                        std::string(grpc_message));
    } else if (!answered_) {
      load_.meter_.fail("grpc-status 0 without an answer");
    } else {
      load_.meter_.record(now_ns() - sent_ns_);
    }
    load_.start_next(*this);
  }

 private:
  UnaryLoad& load_;
  Connection& connection_;
  Request request_;
  uint64_t sent_ns_ = 0;
  bool answered_ = false;
};

UnaryLoad::UnaryLoad(Client& client, Workload& workload, Meter& meter, const Options& options)
    : client_(client), workload_(workload), meter_(meter), options_(options) {
  for (size_t i = 0; i < options.in_flight; ++i) {
    slots_.push_back(
        std::make_unique<Slot>(*this, client.connection(i % client.connection_count())));
  }
}

UnaryLoad::~UnaryLoad() = default;

void UnaryLoad::start_next(Slot& slot) {
  if (options_.total != 0 && started_ >= options_.total) stopping_ = true;
  if (!stopping_) slot.start();
}

bool UnaryLoad::turn_of_time(uint64_t start_ns) {
  const bool by_time = options_.total == 0 && options_.mode != Mode::kFill;
  const double elapsed = static_cast<double>(now_ns() - start_ns) * 1e-9;
  if (!stopping_ && by_time) {
    if (!meter_.window_open() && elapsed >= options_.warmup_seconds) meter_.open_window();
    stopping_ = elapsed >= options_.warmup_seconds + options_.duration_seconds;
    if (stopping_) meter_.close_window();
  }
  return stopping_ && in_flight_ == 0;
}

bool UnaryLoad::run() {
  const bool by_time = options_.total == 0 && options_.mode != Mode::kFill;
  if (!by_time) meter_.open_window();
  const uint64_t start_ns = now_ns();
  for (const auto& slot : slots_) start_next(*slot);
  if (!client_.run_until([&] { return turn_of_time(start_ns); })) return false;
  if (!by_time) meter_.close_window();
  return true;
}

}  // namespace lattice::bench
