#include "load/workloads.h"

#include "load/etcd_messages.h"

namespace lattice::load {
namespace {

constexpr std::string_view malformed = "answer does not decode";

}  // namespace

GetWorkload::GetWorkload(const Options& options, const KeySpace& keys)
    : keys_(keys),
      random_(options.seed),
      pick_(0, options.keys - 1),
      sample_every_(options.sample_every) {}

bool GetWorkload::next(Request& request) {
  request.path = range_path;
  request.key = pick_(random_);
  encode_range(request.body, keys_.key(request.key), {}, 0);
  return true;
}

std::string_view GetWorkload::check(const Request& request, std::string_view answer) {
  RangeAnswer range;
  std::string_view bytes;
  if (!decode_range(answer, range, [&](uint64_t, std::string_view kv) { bytes = kv; })) {
    return malformed;
  }
  if (range.kvs != 1 || range.count != 1) return "a key is missing";
  if (++answers_ % sample_every_ != 0) return {};
  KeyValue kv;
  if (!decode_key_value(bytes, kv)) return malformed;
  return keys_.matches(kv.key, kv.value, request.key) ? "" : "wrong value";
}

ListWorkload::ListWorkload(const Options& options, const KeySpace& keys)
    : keys_(keys), count_(options.keys), sample_every_(options.sample_every) {}

bool ListWorkload::next(Request& request) {
  request.path = range_path;
  encode_range(request.body, keys_.prefix(), keys_.range_end(), 0);
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
  if (!decoded) return malformed;
  if (range.kvs != count_ || range.more || range.count != static_cast<int64_t>(count_)) {
    return "wrong number of keys in a list";
  }
  return right ? "" : "wrong key or value in a list";
}

}  // namespace lattice::load
