#include "load/read_back.h"

#include "load/etcd_messages.h"

namespace lattice::load {
namespace {

constexpr size_t samples_max = 1000;

}  // namespace

void ReadBack::remember(uint64_t key, uint64_t nonce, int64_t revision) {
  if (samples_.size() < samples_max) samples_.emplace_back();
  samples_[next_] = {key, nonce, revision};
  next_ = (next_ + 1) % samples_max;
}

std::string ReadBack::verify(Client& client) const {
  for (const Sample& sample : samples_) {
    std::string body;
    std::string answer;
    encode_range(body, keys_.key(sample.key), {}, 0);
    if (!client.call(range_path, std::move(body), answer)) return "read back: " + answer;
    std::string wrong = check(sample, answer);
    if (!wrong.empty()) return wrong;
  }
  return {};
}

std::string ReadBack::check(const Sample& sample, std::string_view answer) const {
  RangeAnswer range;
  KeyValue kv;
  const bool decoded = decode_range(
      answer, range, [&](uint64_t, std::string_view bytes) { decode_key_value(bytes, kv); });
  if (!decoded || range.kvs != 1 || !keys_.matches(kv.key, kv.value, sample.key)) {
    return "a key that was written reads back wrong";
  }
  ValueHead head;
  read_value_head(kv.value, head);
  if (kv.mod_revision < sample.revision) return "a write that was answered is gone";
  if (kv.mod_revision == sample.revision && head.nonce != sample.nonce) {
    return "a revision holds another write's value";
  }
  return {};
}

}  // namespace lattice::load
