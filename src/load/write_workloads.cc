#include "load/workloads.h"

#include <algorithm>

#include "load/clock.h"
#include "load/etcd_messages.h"

namespace lattice::load {
namespace {

constexpr std::string_view malformed = "answer does not decode";
constexpr int64_t page_keys = 10'000;

}  // namespace

PutWorkload::PutWorkload(const Options& options, const KeySpace& keys, RevisionLedger& ledger)
    : keys_(keys),
      ledger_(ledger),
      random_(options.seed),
      pick_(0, options.keys - 1),
      sample_every_(options.sample_every),
      read_back_(keys) {}

bool PutWorkload::next(Request& request) {
  request.path = put_path;
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
  if (!decode_revision(answer, revision)) return malformed;
  ledger_.answered(revision);
  if (request.nonce % sample_every_ == 0) {
    read_back_.remember(request.key, request.nonce, revision);
  }
  return {};
}

UpdateWorkload::UpdateWorkload(const Options& options, const KeySpace& keys, RevisionLedger& ledger)
    : keys_(keys),
      ledger_(ledger),
      random_(options.seed),
      pick_(0, options.keys - 1),
      revisions_(std::max<uint64_t>(options.keys, 2 * options.in_flight)),
      sample_every_(options.sample_every),
      read_back_(keys) {}

std::string UpdateWorkload::prepare(Client& client) {
  std::string from = keys_.prefix();
  for (bool more = true; more;) {
    std::string body;
    std::string answer;
    RangeAnswer range;
    KeyValue kv;
    encode_range(body, from, keys_.range_end(), page_keys);
    if (!client.call(range_path, std::move(body), answer)) return "listing the keys: " + answer;
    const bool decoded = decode_range(answer, range, [&](uint64_t, std::string_view bytes) {
      ValueHead head;
      if (!decode_key_value(bytes, kv) || !read_value_head(kv.value, head)) return;
      if (head.number < revisions_.size()) revisions_[head.number] = kv.mod_revision;
    });
    if (!decoded) return "a list of the keys does not decode";
    more = range.more && range.kvs > 0;
    from = std::string(kv.key) + '\0';
  }
  return {};
}

bool UpdateWorkload::next(Request& request) {
  do {
    request.key = pick_(random_);
  } while (revisions_[request.key] == busy);
  request.path = txn_path;
  request.nonce = ++nonce_;
  std::string value;
  keys_.append_value(value, {request.key, request.nonce, now_ns()});
  encode_update(request.body, keys_.key(request.key), value, revisions_[request.key]);
  revisions_[request.key] = busy;
  ledger_.sent();
  return true;
}

std::string_view UpdateWorkload::check(const Request& request, std::string_view answer) {
  TxnAnswer txn;
  if (!decode_txn(answer, txn)) return malformed;
  if (!txn.succeeded) return "an update of an unchanged key was refused";
  revisions_[request.key] = txn.revision;
  ledger_.answered(txn.revision);
  if (request.nonce % sample_every_ == 0) {
    read_back_.remember(request.key, request.nonce, txn.revision);
  }
  return {};
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
  request.path = txn_puts_ == 1 ? put_path : txn_path;
  if (txn_puts_ > 1) txn.finish(request.body);
  ledger_.sent();
  return true;
}

std::string_view FillWorkload::check(const Request& request, std::string_view answer) {
  if (request.path == put_path) {
    int64_t revision = 0;
    if (!decode_revision(answer, revision)) return malformed;
    ledger_.answered(revision);
    return {};
  }
  TxnAnswer txn;
  if (!decode_txn(answer, txn)) return malformed;
  ledger_.answered(txn.revision);
  return txn.succeeded && txn.responses > 0 ? "" : "a transaction did not succeed";
}

}  // namespace lattice::load
