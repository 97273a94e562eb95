#include "load/unary_load.h"

#include "load/clock.h"

namespace lattice::load {

// So many requests are begun before answers are looked for: a load of a million at once would
// otherwise let them wait for seconds.
constexpr size_t starts_per_turn = 2000;

// One request in flight.
class UnaryLoad::Slot : public Call {
 public:
  Slot(UnaryLoad& load, Connection& connection) : load_(load), connection_(connection) {}

  void start(uint64_t due_ns) {
    request_.body.clear();
    answered_ = false;
    if (!load_.workload_.next(request_)) {
      load_.stopping_ = true;
      return;
    }
    ++load_.started_;
    ++load_.in_flight_;
    sent_ns_ = due_ns;
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
  if (stopping_) return;
  if (options_.rate > 0) {
    idle_.push_back(&slot);
  } else {
    slot.start(now_ns());
  }
}

// A request that found no free slot is counted from when it was due, so that a stall shows; what
// the loop's own tick is late by does not count.
void UnaryLoad::start_what_is_due(uint64_t now) {
  const double interval_ns = 1e9 / options_.rate;
  for (size_t i = 0; i < starts_per_turn && !idle_.empty() && !stopping_; ++i) {
    const uint64_t due =
        start_ns_ + static_cast<uint64_t>(static_cast<double>(started_) * interval_ns);
    if (due > now) return;
    Slot* slot = idle_.back();
    idle_.pop_back();
    slot->start(full_ ? due : now);
  }
  full_ = idle_.empty();
}

void UnaryLoad::start_first() {
  for (size_t i = 0; i < starts_per_turn && !idle_.empty(); ++i) {
    Slot* slot = idle_.back();
    idle_.pop_back();
    start_next(*slot);
  }
}

bool UnaryLoad::turn_of_time() {
  const bool by_time = options_.total == 0 && options_.mode != Mode::fill;
  const double elapsed = static_cast<double>(now_ns() - start_ns_) * 1e-9;
  if (!stopping_ && by_time) {
    stopping_ = meter_.follow(elapsed, options_.warmup_seconds, options_.duration_seconds);
  }
  if (options_.rate > 0) {
    start_what_is_due(now_ns());
  } else {
    start_first();
  }
  return stopping_ && in_flight_ == 0;
}

bool UnaryLoad::run() {
  const bool by_time = options_.total == 0 && options_.mode != Mode::fill;
  if (!by_time) meter_.open_window();
  start_ns_ = now_ns();
  for (const auto& slot : slots_) idle_.push_back(slot.get());
  if (!client_.run_until([&] { return turn_of_time(); })) return false;
  if (!by_time) meter_.close_window();
  return true;
}

}  // namespace lattice::load
