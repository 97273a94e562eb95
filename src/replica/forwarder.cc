#include "replica/forwarder.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <variant>

#include "base/planted.h"

namespace lattice::replica {
namespace {

constexpr Duration call_sweep_interval = std::chrono::milliseconds(100);
// A replica that cannot keep up does not keep its clients from knowing what was done for them.
constexpr Duration applied_wait = std::chrono::seconds(1);

// It had no effect anywhere and may be sent again.
bool may_be_repeated(const Result<PeerReply>& reply) {
  if (planted(Planted::lost_call_repeated) && !reply.ok()) return true;
  return reply.ok() ? reply->answer.error() == Error::not_leader : reply.error() == Error::unsent;
}

// A call is kept until it is answered, because it may have to be sent again.
keyspace::TxnRequest copy_txn(const keyspace::TxnRequest& request);

std::vector<keyspace::RequestOp> copy_ops(const std::vector<keyspace::RequestOp>& ops) {
  std::vector<keyspace::RequestOp> copies;
  copies.reserve(ops.size());
  for (const keyspace::RequestOp& op : ops) {
    std::visit(
        [&copies](const auto& one) {
          if constexpr (requires { *one; }) {
            copies.emplace_back(std::make_unique<keyspace::TxnRequest>(copy_txn(*one)));
          } else {
            copies.emplace_back(one);
          }
        },
        op);
  }
  return copies;
}

keyspace::TxnRequest copy_txn(const keyspace::TxnRequest& request) {
  return {request.compares, copy_ops(request.success), copy_ops(request.failure)};
}

PeerCall copy_call(const PeerCall& call) {
  return std::visit(
      [](const auto& one) -> PeerCall {
        if constexpr (std::is_same_v<std::decay_t<decltype(one)>, keyspace::TxnRequest>) {
          return copy_txn(one);
        } else {
          return one;
        }
      },
      call);
}

// Its answer would wait until something is read from the log here.
bool hopeless(const State& state, const ForwardedCall& call) {
  return !state.log.reachable() && !std::holds_alternative<LeaseKeepAliveCall>(call.call);
}
Status unreachable() { return {Error::backend_unavailable, std::string(unreachable_reason)}; }

}  // namespace

void Forwarder::add(ForwardedCall call) {
  if (!closed_.ok()) return call.done(closed_);
  if (hopeless(state_, call)) return call.done(unreachable());
  if (waiting_.size() + sent_ >= state_.options.proposals_max) {
    return call.done(Status(Error::too_many_requests));
  }
  waiting_.push_back(std::move(call));
  arm_sweep();
  if (!doubtful_) send_waiting();
}

void Forwarder::send_waiting() {
  // Also if nothing waits any more, because this replica has led meanwhile: nobody would ask again.
  doubtful_ = false;
  if (waiting_.empty()) return;
  const std::string address = host_.leader_address();
  if (address.empty()) return retry_.later();
  for (ForwardedCall& call : std::exchange(waiting_, {})) send(std::move(call), address);
}

void Forwarder::send(ForwardedCall call, const std::string& address) {
  const Duration passed = state_.environment.now() - call.since;
  const Duration patience = std::max(Duration{}, state_.options.request_timeout - passed);
  PeerRequest request{copy_call(call.call), patience, call.caller};
  ++sent_;
  peers_.call(address, std::move(request),
              lifetime_.guard([this, call = std::move(call)](Result<PeerReply> reply) mutable {
                --sent_;
                on_reply(std::move(call), std::move(reply));
              }));
}

void Forwarder::on_reply(ForwardedCall call, Result<PeerReply> reply) {
  if (may_be_repeated(reply)) {
    state_.observer.on_rare("a forwarded call came back untouched");
    if (!closed_.ok()) return call.done(closed_);
    waiting_.push_back(std::move(call));
    arm_sweep();
    doubtful_ = true;
    host_.on_leader_doubtful();
    return retry_.later();
  }
  if (!reply.ok()) {
    state_.observer.on_rare("the outcome of a forwarded call is not known");
    return call.done(reply.status());
  }
  if (!reply->answer.ok() || reply->position.seq <= state_.applied.seq) {
    return call.done(std::move(reply->answer));
  }
  const Position position = reply->position;
  answered_.push_back({position.seq, state_.environment.now(),
                       [done = std::move(call.done), answer = std::move(reply->answer)]() mutable {
                         done(std::move(answer));
                       }});
  arm_sweep();
  host_.on_announced(position);
}

void Forwarder::on_applied() {
  while (!answered_.empty() && answered_.front().seq <= state_.applied.seq) {
    auto tell = std::move(answered_.front().tell);
    answered_.pop_front();
    tell();
  }
}

std::vector<ForwardedCall> Forwarder::take_waiting() {
  std::vector<ForwardedCall> all;
  for (ForwardedCall& call : std::exchange(waiting_, {})) all.push_back(std::move(call));
  return all;
}

void Forwarder::close(const Status& status) {
  closed_ = status;
  for (ForwardedCall& call : std::exchange(waiting_, {})) call.done(status);
}

void Forwarder::arm_sweep() {
  if (sweep_timer_ != nullptr) return;
  sweep_timer_ = state_.environment.after(call_sweep_interval, [this] { sweep(); });
}

void Forwarder::sweep() {
  sweep_timer_.reset();
  const Instant now = state_.environment.now();
  const Patience patience = host_.patience();
  std::vector<ForwardedCall> late;
  std::vector<ForwardedCall> refused;
  // Calls that came back are older than those before them.
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    const bool in_vain = hopeless(state_, *at);
    if (!in_vain && now - at->since < patience.limit) {
      ++at;
      continue;
    }
    (in_vain ? refused : late).push_back(std::move(*at));
    at = waiting_.erase(at);
  }
  while (!answered_.empty() && now - answered_.front().since >= applied_wait) {
    state_.observer.on_rare("a forwarded call was answered before it was applied here");
    auto tell = std::move(answered_.front().tell);
    answered_.pop_front();
    tell();
  }
  for (ForwardedCall& call : late) call.done(patience.error);
  for (ForwardedCall& call : refused) call.done(unreachable());
  if (!waiting_.empty() || !answered_.empty()) arm_sweep();
}

}  // namespace lattice::replica
