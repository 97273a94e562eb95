#include "sim/checker.h"

#include <algorithm>
#include <map>
#include <utility>

#include "sim/replay.h"

namespace lattice::sim {
namespace {

bool has_effect(const keyspace::TxnResult& result) {
  return std::any_of(result.responses.begin(), result.responses.end(), [](const auto& response) {
    if (std::holds_alternative<keyspace::PutResult>(response)) return true;
    if (const auto* remove = std::get_if<keyspace::DeleteRangeResult>(&response)) {
      return remove->deleted > 0;
    }
    const auto* nested = std::get_if<std::unique_ptr<keyspace::TxnResult>>(&response);
    return nested != nullptr && has_effect(**nested);
  });
}

}  // namespace

int64_t header_of(const Op& op) {
  return std::visit(
      [](const auto& what) -> int64_t {
        if constexpr (std::is_same_v<std::decay_t<decltype(*what.result)>, Revision>) {
          return what.result->value;
        } else {
          return what.result->header_revision.value;
        }
      },
      op.what);
}

bool wrote(const Op& op) {
  if (std::holds_alternative<PutOp>(op.what)) return true;
  if (const auto* remove = std::get_if<DeleteOp>(&op.what)) return remove->result->deleted > 0;
  if (const auto* txn = std::get_if<TxnOp>(&op.what)) return has_effect(*txn->result);
  return false;
}

bool is_serializable(const Op& op) {
  if (const auto* range = std::get_if<RangeOp>(&op.what)) return range->request.serializable;
  return false;
}

std::vector<std::string> Checker::run() {
  check_chain();
  replay();
  check_real_time();
  check_compaction();
  check_leases();
  check_watches();
  return std::move(problems_);
}

void Checker::check_chain() {
  Digest previous{};
  uint64_t expected = 1;
  for (const auto& [seq, committed] : database_.truth()) {
    const replica::BatchHeader& header = committed.batch->header;
    if (seq != expected++ || header.previous != previous) fail("A1: the chain is broken");
    if (compute_digest(database_.id(), header, committed.batch->records) != header.digest) {
      fail("A1: a digest does not fit");
    }
    previous = header.digest;
  }
}

void Checker::replay() {
  // Replay keeps a reference to it: a temporary would be gone before it runs.
  const auto on_failure = [this](std::string what) { fail(std::move(what)); };
  Replay replay(database_, history_, probes_, on_failure);
  truth_ = replay.run();
}

// B6: what returned before a linearizable call began is not newer than what it answers.
// Serializable reads count among what returned: they may be old, but never ahead of what is
// announced (S1).
void Checker::check_real_time() {
  std::vector<const Op*> by_return;
  std::vector<const Op*> by_call;
  for (const Op& op : history_.ops) {
    if (op.outcome != Outcome::ok || std::holds_alternative<KeepAliveOp>(op.what)) continue;
    by_return.push_back(&op);
    if (!is_serializable(op)) by_call.push_back(&op);
  }
  std::ranges::sort(by_return, {}, [](const Op* op) { return op->returned; });
  std::ranges::sort(by_call, {}, [](const Op* op) { return op->called; });
  int64_t newest = 1;
  size_t next = 0;
  for (const Op* op : by_call) {
    for (; next < by_return.size() && by_return[next]->returned < op->called; ++next) {
      newest = std::max(newest, header_of(*by_return[next]));
    }
    const int64_t header = header_of(*op);
    if (header < newest || (header == newest && wrote(*op))) {
      fail("B6: an answer at revision " + std::to_string(header) + " after one at " +
           std::to_string(newest) + ", asked for at " + std::to_string(op->called / 1'000'000) +
           " ms");
    }
  }
  // B11: monotonic per connection and replica.
  std::map<std::tuple<int, int, uint64_t>, int64_t> seen;
  for (const Op* op : by_return) {
    if (!is_serializable(*op)) continue;
    int64_t& last = seen[{op->client, op->node, op->node_life}];
    if (header_of(*op) < last) fail("B11: a serializable read went backward");
    last = header_of(*op);
  }
}

// C17: once a compaction has returned, older reads fail everywhere. A refusal for compaction needs
// one that had been asked for.
void Checker::check_compaction() {
  for (const Op& compact : history_.ops) {
    const auto* asked = std::get_if<CompactOp>(&compact.what);
    if (asked == nullptr || compact.outcome != Outcome::ok) continue;
    for (const Op& read : history_.ops) {
      const auto* range = std::get_if<RangeOp>(&read.what);
      if (range == nullptr || read.outcome != Outcome::ok || range->request.serializable) continue;
      const Revision at = range->request.revision;
      if (read.called > compact.returned && at > Revision(0) && at < asked->revision) {
        fail("C17: a read below the compact revision was answered");
      }
    }
  }
  for (const Op& read : history_.ops) {
    const auto* range = std::get_if<RangeOp>(&read.what);
    if (range == nullptr || read.error != Error::compacted) continue;
    const bool any = std::any_of(
        truth_.compacts.begin(), truth_.compacts.end(), [&](const TruthCompact& compact) {
          return range->request.revision.value < compact.revision && compact.at <= read.returned;
        });
    if (!any) fail("C14: a read was refused as compacted without a compaction");
  }
}

// A renewal that was under way when the lease ended may have been the next one's of that id.
bool Checker::granted_again(const TruthRevoke& end, int64_t before) const {
  return std::any_of(truth_.grants.begin(), truth_.grants.end(), [&](const TruthGrant& grant) {
    return grant.lease == end.lease && grant.at >= end.at && grant.at <= before;
  });
}

void Checker::check_leases() {
  constexpr int64_t second = 1'000'000'000;
  constexpr int64_t clock_error = 20'000'000;
  for (const TruthRevoke& end : truth_.revokes) {
    bool by_client = false;
    int64_t renewed = end.granted_at;
    for (const Op& op : history_.ops) {
      if (const auto* revoke = std::get_if<RevokeOp>(&op.what)) {
        by_client = by_client || (revoke->id.value == end.lease && op.outcome != Outcome::refused &&
                                  op.called <= end.at);
      } else if (const auto* renewal = std::get_if<KeepAliveOp>(&op.what)) {
        const bool counts = renewal->id.value == end.lease && op.outcome == Outcome::ok &&
                            renewal->result->ttl_seconds > 0 && op.returned > end.granted_at &&
                            !granted_again(end, op.returned);
        if (!counts) continue;
        if (op.called < end.at) {
          renewed = std::max(renewed, op.called);
        } else {
          fail("E43: an ended lease was renewed");
        }
      }
    }
    if (by_client) continue;
    probes_.hit("sim: a lease expired");
    if (end.at < renewed + end.ttl * second - clock_error) {
      fail("E39: lease " + std::to_string(end.lease) + " expired early, at " +
           std::to_string(end.at / 1'000'000) + " ms");
    }
  }
}

}  // namespace lattice::sim
