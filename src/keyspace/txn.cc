#include "keyspace/txn.h"

#include "base/planted.h"
#include "keyspace/compare.h"
#include "keyspace/range.h"

namespace lattice::keyspace {
namespace {

using Path = std::vector<bool>;
using NestedTxn = std::unique_ptr<TxnRequest>;

const std::vector<RequestOp>& branch(const TxnRequest& request, bool succeeded) {
  return succeeded ? request.success : request.failure;
}

// Decides every transaction on the way, the outer one and the nested ones of the chosen branches,
// in the order in which they will run; all against the state before the transaction.
void choose_path(const State& state, const TxnRequest& request, Revision begin, Path* path) {
  const bool succeeded = all_hold(state, request.compares, begin);
  path->push_back(succeeded);
  for (const RequestOp& op : branch(request, succeeded)) {
    if (const auto* nested = std::get_if<NestedTxn>(&op)) {
      choose_path(state, **nested, begin, path);
    }
  }
}

// What can refuse a transaction once its path is known, in the order of the operations.
class Checker {
 public:
  // `mutation` is null for a transaction that only reads.
  Checker(const State& state, const Mutation* mutation, Revision begin, const Path& path)
      : state_(state), mutation_(mutation), begin_(begin), path_(path) {}

  Status check(const TxnRequest& request) {
    for (const RequestOp& op : branch(request, path_[next_++])) {
      Status status;
      if (const auto* range = std::get_if<RangeRequest>(&op)) {
        status = check(*range);
      } else if (const auto* put = std::get_if<PutRequest>(&op)) {
        status = check(*put);
      } else if (const auto* nested = std::get_if<NestedTxn>(&op)) {
        status = check(**nested);
      }
      if (!status.ok()) return status;
    }
    return {};
  }

 private:
  // Here a negative revision is not "the newest", as it is for a stand-alone range.
  Status check(const RangeRequest& request) const {
    if (request.revision == Revision(0)) return {};
    if (request.revision > begin_) return Error::future_revision;
    if (request.revision < state_.compact) return Error::compacted;
    return {};
  }
  Status check(const PutRequest& request) const {
    // Counted where etcd looks the key up, before it does so once more to put it.
    if (request.prev_kv || request.ignore_value || request.ignore_lease) ++state_.counts.ranges;
    if (request.ignore_value || request.ignore_lease) {
      if (state_.live_at(request.key, begin_) == nullptr) return Error::key_not_found;
    }
    if (request.lease != LeaseId(0) && !mutation_->lease_exists(request.lease)) {
      return Error::lease_not_found;
    }
    return {};
  }

  const State& state_;
  const Mutation* mutation_;
  const Revision begin_;
  const Path& path_;
  size_t next_ = 0;
};

class Runner {
 public:
  Runner(const State& state, Mutation* mutation, Revision current, const Path& path)
      : state_(state), mutation_(mutation), current_(current), path_(path) {}

  Status run(const TxnRequest& request, TxnResult* result) {
    result->succeeded = path_[next_++];
    const std::vector<RequestOp>& ops = branch(request, result->succeeded);
    result->responses.reserve(ops.size());
    for (const RequestOp& op : ops) {
      Status status;
      if (const auto* range = std::get_if<RangeRequest>(&op)) {
        status = keep(read_range(state_, *range, current()), result);
      } else if (const auto* put = std::get_if<PutRequest>(&op)) {
        status = keep(mutation_->put(*put), result);
      } else if (const auto* remove = std::get_if<DeleteRangeRequest>(&op)) {
        result->responses.emplace_back(mutation_->delete_range(*remove));
      } else if (const auto* nested = std::get_if<NestedTxn>(&op)) {
        auto inner = std::make_unique<TxnResult>();
        status = run(**nested, inner.get());
        result->responses.emplace_back(std::move(inner));
      }
      if (!status.ok()) return status;
    }
    return {};
  }

 private:
  Revision current() const {
    if (planted(Planted::txn_sees_pre_state)) return current_;
    return mutation_ == nullptr ? current_ : mutation_->current();
  }

  template <class T>
  static Status keep(Result<T> outcome, TxnResult* result) {
    if (outcome.ok()) result->responses.emplace_back(std::move(*outcome));
    return outcome.status();
  }

  const State& state_;
  Mutation* mutation_;
  const Revision current_;
  const Path& path_;
  size_t next_ = 0;
};

}  // namespace

Result<TxnResult> run_write_txn(Mutation* mutation, const TxnRequest& request) {
  const State& state = mutation->state();
  Path path;
  Status status;
  {
    const CountedTxn decided(state);
    choose_path(state, request, mutation->begin(), &path);
    status = Checker(state, mutation, mutation->begin(), path).check(request);
  }
  if (!status.ok()) return status;
  const CountedTxn run(state);
  TxnResult result;
  // A put that ignores its value can still lose its key to an earlier operation of the transaction
  // (etcd stops with a panic there): then all of it is undone.
  status = Runner(state, mutation, mutation->begin(), path).run(request, &result);
  if (!status.ok()) {
    mutation->abort();
    return status;
  }
  result.header_revision = mutation->current();
  return result;
}

Result<TxnResult> run_read_txn(const State& state, const TxnRequest& request, Revision current) {
  const CountedTxn counted(state);
  Path path;
  choose_path(state, request, current, &path);
  Status status = Checker(state, nullptr, current, path).check(request);
  if (!status.ok()) return status;
  TxnResult result;
  status = Runner(state, nullptr, current, path).run(request, &result);
  if (!status.ok()) return status;
  result.header_revision = current;
  return result;
}

}  // namespace lattice::keyspace
