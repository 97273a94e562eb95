#include "sim/client.h"

#include <algorithm>
#include <utility>

namespace lattice::sim {
namespace {

constexpr int64_t millisecond = 1'000'000;
constexpr int64_t patience = 6'000 * millisecond;

// Errors after which the operation may still have an effect.
bool may_have_happened(Error error) {
  switch (error) {
    case Error::timeout:
    case Error::stopped:
    case Error::timeout_leader_fail:
    case Error::timeout_connection_lost:
    case Error::unhealthy:
      return true;
    default:
      return false;
  }
}

int64_t header_of(const Revision& revision) { return revision.value; }
template <class T>
int64_t header_of(const T& result) {
  return result.header_revision.value;
}

// Values that nobody else writes, so that the log tells whose they are.
void make_unique_values(keyspace::TxnRequest* txn, int64_t unique, int* n) {
  for (auto* ops : {&txn->success, &txn->failure}) {
    for (keyspace::RequestOp& op : *ops) {
      if (auto* put = std::get_if<keyspace::PutRequest>(&op)) {
        if (!put->ignore_value) {
          put->value = std::to_string(unique) + "." + std::to_string((*n)++);
        }
      } else if (auto* nested = std::get_if<std::unique_ptr<keyspace::TxnRequest>>(&op)) {
        make_unique_values(nested->get(), unique, n);
      }
    }
  }
}

}  // namespace

void Client::start(int operations) {
  left_ = operations;
  at_ = world_.rng().below(nodes_.size());
  think();
}

void Client::think() {
  Rng& rng = world_.rng();
  const int64_t pause =
      rng.chance(10) ? rng.between(0, 1500 * millisecond) : rng.between(0, 60 * millisecond);
  world_.at(pause, [this] { act(); });
}

void Client::act() {
  if (left_ == 0) return;
  if (world_.rng().chance(3)) at_ = world_.rng().below(nodes_.size());
  Node* node = nodes_[at_].get();
  if (!node->running() || node->stopping()) {
    at_ = world_.rng().below(nodes_.size());
    return think();
  }
  --left_;
  history_.ops.emplace_back();
  Op* op = current_ = &history_.ops.back();
  op->client = number_;
  op->node = static_cast<int>(at_);
  op->node_life = node->life();
  op->called = world_.now();
  choose(op);
  const int64_t travel = world_.rng().between(50'000, 500'000);
  node->process().deliver(travel, [this, op, node] { send(op, node); });
  // Perhaps nobody answers: the process has crashed, or is paused for long.
  world_.at(patience, [this, op] {
    if (op->outcome == Outcome::pending) finish(op, Outcome::unknown, Error::timeout);
  });
  const auto watch_crash = [this, op, node](auto& self) -> void {
    if (op->outcome != Outcome::pending) return;
    if (node->life() != op->node_life) return finish(op, Outcome::unknown, Error::canceled);
    world_.at(50 * millisecond, [self] { self(self); });
  };
  watch_crash(watch_crash);
}

keyspace::TxnRequest Client::make_txn(int64_t head, int64_t unique) {
  keyspace::TxnRequest txn;
  do {
    txn = generator_.txn(head, 1);
  } while (!validate(txn, 128).ok());
  int n = 0;
  make_unique_values(&txn, unique, &n);
  return txn;
}

void Client::choose(Op* op) {
  Rng& rng = world_.rng();
  const auto unique = static_cast<int64_t>(history_.ops.size());
  const auto roll = rng.below(100);
  if (roll < 30) {
    keyspace::PutRequest put;
    do {
      put = generator_.put();
    } while (!validate(put).ok());
    if (!put.ignore_value) put.value = std::to_string(unique);
    if (rng.chance(15) && lease_ != LeaseId(0) && !put.ignore_lease) put.lease = lease_;
    op->what = PutOp{std::move(put), {}};
  } else if (roll < 36) {
    op->what = DeleteOp{generator_.remove(), {}};
  } else if (roll < 52) {
    op->what = TxnOp{make_txn(head(), unique), {}};
  } else if (roll < 80) {
    RangeOp range{generator_.range(head()), {}};
    if (range.request.revision < Revision(0)) range.request.revision = Revision(0);
    range.request.serializable = rng.chance(25);
    if (!validate(range.request).ok()) range.request.sort_order = keyspace::SortOrder::none;
    op->what = std::move(range);
  } else if (roll < 84) {
    op->what = CompactOp{Revision(std::max<int64_t>(1, head() - rng.between(0, 12))), {}};
  } else if (roll < 90) {
    op->what = GrantOp{LeaseId(rng.chance(50) ? 0 : rng.between(1, 4)), rng.between(1, 5), {}};
  } else if (roll < 93) {
    op->what = RevokeOp{rng.chance(50) ? lease_ : LeaseId(rng.between(1, 4)), {}};
  } else {
    op->what = KeepAliveOp{rng.chance(70) ? lease_ : LeaseId(rng.between(1, 4)), {}};
  }
}

template <class T>
auto Client::answer(Op* op, Node* node) {
  return [this, op, node, life = node->life()](auto result) {
    const int64_t travel = world_.rng().between(50'000, 500'000);
    auto shared = std::make_shared<decltype(result)>(std::move(result));
    world_.at(travel, [this, op, node, life, shared] {
      // An answer of a process that crashed while it travelled is lost half of the time.
      if (op->outcome != Outcome::pending) return;
      if (node->life() != life && world_.rng().chance(50)) return;
      if (!shared->ok()) {
        const Error error = shared->error();
        return finish(op, may_have_happened(error) ? Outcome::unknown : Outcome::refused, error);
      }
      head_ = std::max(head_, header_of(**shared));
      if constexpr (std::is_same_v<T, GrantOp>) lease_ = (*shared)->id;
      std::get<T>(op->what).result.emplace(std::move(**shared));
      finish(op, Outcome::ok, Error::ok);
    });
  };
}

namespace {

keyspace::TxnRequest copy(const keyspace::TxnRequest& from);
std::vector<keyspace::RequestOp> copy(const std::vector<keyspace::RequestOp>& from) {
  std::vector<keyspace::RequestOp> to;
  for (const keyspace::RequestOp& op : from) {
    if (const auto* range = std::get_if<keyspace::RangeRequest>(&op)) {
      to.emplace_back(*range);
    } else if (const auto* put = std::get_if<keyspace::PutRequest>(&op)) {
      to.emplace_back(*put);
    } else if (const auto* remove = std::get_if<keyspace::DeleteRangeRequest>(&op)) {
      to.emplace_back(*remove);
    } else if (const auto* txn = std::get_if<std::unique_ptr<keyspace::TxnRequest>>(&op)) {
      to.emplace_back(std::make_unique<keyspace::TxnRequest>(copy(**txn)));
    } else {
      to.emplace_back();
    }
  }
  return to;
}
keyspace::TxnRequest copy(const keyspace::TxnRequest& from) {
  return {from.compares, copy(from.success), copy(from.failure)};
}

}  // namespace

void Client::send(Op* op, Node* node) {
  if (!node->running() || op->outcome != Outcome::pending) return;
  replica::Replica& api = *node->replica();
  if (const auto* put = std::get_if<PutOp>(&op->what)) {
    api.put(put->request, answer<PutOp>(op, node));
  } else if (const auto* remove = std::get_if<DeleteOp>(&op->what)) {
    api.delete_range(remove->request, answer<DeleteOp>(op, node));
  } else if (const auto* txn = std::get_if<TxnOp>(&op->what)) {
    api.txn(copy(txn->request), answer<TxnOp>(op, node));
  } else if (const auto* range = std::get_if<RangeOp>(&op->what)) {
    api.range(range->request, answer<RangeOp>(op, node));
  } else if (const auto* compact = std::get_if<CompactOp>(&op->what)) {
    api.compact(compact->revision, world_.rng().chance(50), answer<CompactOp>(op, node));
  } else if (const auto* grant = std::get_if<GrantOp>(&op->what)) {
    api.lease_grant(grant->id, grant->ttl, answer<GrantOp>(op, node));
  } else if (const auto* revoke = std::get_if<RevokeOp>(&op->what)) {
    api.lease_revoke(revoke->id, answer<RevokeOp>(op, node));
  } else {
    api.lease_keep_alive(std::get<KeepAliveOp>(op->what).id, answer<KeepAliveOp>(op, node));
  }
}

void Client::finish(Op* op, Outcome outcome, Error error) {
  op->outcome = outcome;
  op->error = error;
  op->returned = world_.now();
  world_.mix(static_cast<uint64_t>(outcome) * 31 + static_cast<uint64_t>(error));
  current_ = nullptr;
  if (outcome != Outcome::ok) at_ = world_.rng().below(nodes_.size());
  think();
}

}  // namespace lattice::sim
