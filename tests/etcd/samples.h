// Random keyspace values and the generated messages that say the same: what the codec tests
// compare.
#pragma once

#include <random>
#include <string>

#include "etcd/encode.h"
#include "keyspace/requests.h"
#include "proto/rpc.pb.h"

namespace lattice::etcd::testing {

class Samples {
 public:
  explicit Samples(uint64_t seed) : random_(seed) {}

  uint64_t below(uint64_t bound) { return random_() % bound; }
  bool flip() { return below(2) == 0; }
  // Mostly small, sometimes around the sizes where encodings change or bytes are spliced.
  std::string bytes() {
    static constexpr size_t sizes[] = {0, 1, 3, 15, 16, 100, 127, 128, 400, 511, 512, 600, 5000};
    std::string out(sizes[below(std::size(sizes))], '\0');
    for (char& c : out) c = static_cast<char>(random_());
    return out;
  }
  // Every width that a varint can have, zero and negative numbers included.
  int64_t number() {
    switch (below(4)) {
      case 0:
        return 0;
      case 1:
        return static_cast<int64_t>(random_() >> below(64));
      case 2:
        return -static_cast<int64_t>(below(1000));
      default:
        return static_cast<int64_t>(below(300));
    }
  }

  keyspace::KvRef kv();
  keyspace::KvRef tombstone();
  keyspace::RangeResult range_result();
  keyspace::PutResult put_result();
  keyspace::DeleteRangeResult delete_result();
  keyspace::TxnResult txn_result(int depth);

 private:
  std::mt19937_64 random_;
};

inline keyspace::KvRef Samples::kv() {
  std::string key = bytes(), value = bytes();
  return keyspace::KvRecord::make({.key = key,
                                   .value = value,
                                   .create_revision = Revision(number()),
                                   .mod_revision = Revision(number()),
                                   .version = number(),
                                   .lease = LeaseId(number()),
                                   .id = {}});
}

inline keyspace::KvRef Samples::tombstone() {
  std::string key = bytes();
  return keyspace::KvRecord::make({.key = key,
                                   .value = {},
                                   .create_revision = {},
                                   .mod_revision = Revision(number()),
                                   .lease = {},
                                   .id = {},
                                   .tombstone = true});
}

inline keyspace::RangeResult Samples::range_result() {
  keyspace::RangeResult result;
  result.header_revision = Revision(number());
  for (uint64_t i = below(4); i > 0; --i) result.kvs.push_back(kv());
  result.keys_only = flip();
  result.keys_only_with_lease = flip();
  result.more = flip();
  result.count = number();
  return result;
}

inline keyspace::PutResult Samples::put_result() {
  return {Revision(number()), flip() ? kv() : keyspace::KvRef()};
}

inline keyspace::DeleteRangeResult Samples::delete_result() {
  keyspace::DeleteRangeResult result{Revision(number()), number(), {}};
  for (uint64_t i = below(4); i > 0; --i) result.prevs.push_back(kv());
  return result;
}

inline keyspace::TxnResult Samples::txn_result(int depth) {
  keyspace::TxnResult result;
  result.header_revision = Revision(number());
  result.succeeded = flip();
  for (uint64_t i = below(5); i > 0; --i) {
    switch (below(depth > 0 ? 4 : 3)) {
      case 0:
        result.responses.emplace_back(range_result());
        break;
      case 1:
        result.responses.emplace_back(put_result());
        break;
      case 2:
        result.responses.emplace_back(delete_result());
        break;
      default:
        result.responses.emplace_back(std::make_unique<keyspace::TxnResult>(txn_result(depth - 1)));
    }
  }
  return result;
}

}  // namespace lattice::etcd::testing
