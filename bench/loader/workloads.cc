#include "workloads.h"

#include "clock.h"
#include "etcd_messages.h"

namespace lattice::bench {
namespace {

constexpr std::string_view kMalformed = "answer does not decode";
constexpr size_t kReadBackMax = 1000;

}  // namespace

PutWorkload::PutWorkload(const Options& options, const KeySpace& keys, RevisionLedger& ledger)
    : keys_(keys),
      ledger_(ledger),
      random_(options.seed),
      pick_(0, options.keys - 1),
      sample_every_(options.sample_every) {}

bool PutWorkload::next(Request& request) {
  request.path = kPutPath;
  request.key = pick_(random_);
  request.nonce = ++nonce_;
  std::string value;
  keys_.append_value(value, {request.key, request.nonce, now_ns()});
  encode_put(request.body, keys_.key(request.key), value);
  ledger_.sent();
  return true;
}

std::string_view PutWorkload::check(const Request& request, std::string_view answer) {
  int64_t revision = 0;
  if (!decode_revision(answer, revision)) return kMalformed;
  ledger_.answered(revision);
  if (request.nonce % sample_every_ == 0) {
    // The latest samples are kept: the server has had the least time to settle them.
    if (samples_.size() < kReadBackMax) samples_.emplace_back();
    samples_[request.nonce / sample_every_ % samples_.size()] = {request.key, request.nonce,
                                                                 revision};
  }
  return {};
}

std::string PutWorkload::verify(Client& client) {
  for (const Sample& sample : samples_) {
    std::string body;
    std::string answer;
    RangeAnswer range;
    KeyValue kv;
    encode_range(body, keys_.key(sample.key), {});
    if (!client.call(kRangePath, std::move(body), answer)) return "read back: " + answer;
    const bool decoded = decode_range(
        answer, range, [&](uint64_t, std::string_view bytes) { decode_key_value(bytes, kv); });
    if (!decoded || range.kvs != 1 || !keys_.matches(kv.key, kv.value, sample.key)) {
      return "a key that was put reads back wrong";
    }
    ValueHead head;
    read_value_head(kv.value, head);
    if (kv.mod_revision < sample.revision) return "a put that was answered is gone";
    if (kv.mod_revision == sample.revision && head.nonce != sample.nonce) {
      return "a revision holds another put's value";
    }
  }
  return {};
}

GetWorkload::GetWorkload(const Options& options, const KeySpace& keys)
    : keys_(keys),
      random_(options.seed),
      pick_(0, options.keys - 1),
      sample_every_(options.sample_every) {}

bool GetWorkload::next(Request& request) {
  request.path = kRangePath;
  request.key = pick_(random_);
  encode_range(request.body, keys_.key(request.key), {});
  return true;
}

std::string_view GetWorkload::check(const Request& request, std::string_view answer) {
  RangeAnswer range;
  std::string_view bytes;
  if (!decode_range(answer, range, [&](uint64_t, std::string_view kv) { bytes = kv; })) {
    return kMalformed;
  }
  if (range.kvs != 1 || range.count != 1) return "a key is missing";
  if (++answers_ % sample_every_ != 0) return {};
  KeyValue kv;
  if (!decode_key_value(bytes, kv)) return kMalformed;
  return keys_.matches(kv.key, kv.value, request.key) ? "" : "wrong value";
}

ListWorkload::ListWorkload(const Options& options, const KeySpace& keys)
    : keys_(keys), count_(options.keys), sample_every_(options.sample_every) {}

bool ListWorkload::next(Request& request) {
  request.path = kRangePath;
  encode_range(request.body, keys_.prefix(), keys_.range_end());
  return true;
}

std::string_view ListWorkload::check(const Request&, std::string_view answer) {
  ++answers_;
  RangeAnswer range;
  bool right = true;
  const bool decoded = decode_range(answer, range, [&](uint64_t i, std::string_view bytes) {
    if ((i + answers_) % sample_every_ != 0) return;
    KeyValue kv;
    right = right && decode_key_value(bytes, kv) && keys_.matches(kv.key, kv.value, i);
  });
  if (!decoded) return kMalformed;
  if (range.kvs != count_ || range.more || range.count != static_cast<int64_t>(count_)) {
    return "wrong number of keys in a list";
  }
  return right ? "" : "wrong key or value in a list";
}

MixedWorkload::MixedWorkload(const Options& options, const KeySpace& keys, RevisionLedger& ledger)
    : puts_(options, keys, ledger),
      gets_(options, keys),
      random_(options.seed + 1),
      read_percent_(options.read_percent) {}

bool MixedWorkload::next(Request& request) {
  const bool read = percent_(random_) < read_percent_;
  return read ? gets_.next(request) : puts_.next(request);
}

std::string_view MixedWorkload::check(const Request& request, std::string_view answer) {
  const bool read = request.path == kRangePath;
  return read ? gets_.check(request, answer) : puts_.check(request, answer);
}

FillWorkload::FillWorkload(const Options& options, const KeySpace& keys, RevisionLedger& ledger)
    : keys_(keys), ledger_(ledger), count_(options.keys), txn_puts_(options.txn_puts) {}

bool FillWorkload::next(Request& request) {
  if (next_ == count_) return false;
  const uint64_t end = std::min(count_, next_ + txn_puts_);
  TxnOfPuts txn;
  for (; next_ < end; ++next_) {
    const std::string key = keys_.key(next_);
    std::string value;
    keys_.append_value(value, {next_, 0, now_ns()});
    if (txn_puts_ == 1) {
      encode_put(request.body, key, value);
    } else {
      txn.add(key, value);
    }
  }
  request.path = txn_puts_ == 1 ? kPutPath : kTxnPath;
  if (txn_puts_ > 1) txn.finish(request.body);
  ledger_.sent();
  return true;
}

std::string_view FillWorkload::check(const Request& request, std::string_view answer) {
  if (request.path == kPutPath) {
    int64_t revision = 0;
    if (!decode_revision(answer, revision)) return kMalformed;
    ledger_.answered(revision);
    return {};
  }
  TxnAnswer txn;
  if (!decode_txn(answer, txn)) return kMalformed;
  ledger_.answered(txn.revision);
  return txn.succeeded && txn.responses > 0 ? "" : "a transaction did not succeed";
}

std::unique_ptr<Workload> make_workload(const Options& options, const KeySpace& keys,
                                        RevisionLedger& ledger) {
  switch (options.mode) {
    case Mode::kGet:
      return std::make_unique<GetWorkload>(options, keys);
    case Mode::kList:
      return std::make_unique<ListWorkload>(options, keys);
    case Mode::kMixed:
      return std::make_unique<MixedWorkload>(options, keys, ledger);
    case Mode::kFill:
      return std::make_unique<FillWorkload>(options, keys, ledger);
    default:
      return std::make_unique<PutWorkload>(options, keys, ledger);
  }
}

}  // namespace lattice::bench
