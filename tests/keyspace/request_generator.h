// Random requests over few keys, so that everything collides: seeds in, the same requests out.
#pragma once

#include <random>
#include <string>

#include "keyspace/keyspace.h"

namespace lattice::keyspace {

class RequestGenerator {
 public:
  explicit RequestGenerator(uint64_t seed) : random_(seed) {}

  // Uniform in [0, bound).
  int64_t below(int64_t bound) {
    return static_cast<int64_t>(random_() % static_cast<uint64_t>(bound));
  }
  bool one_in(int64_t n) { return below(n) == 0; }

  std::string key() {
    static const char* const keys[] = {"a", "aa", "ab", "b", "ba", "c", "d", "e", "f", "g"};
    return keys[below(10)];
  }
  // Single keys, intervals (some inverted) and open ends.
  KeyRange key_range() {
    switch (below(5)) {
      case 0:
      case 1:
        return {key(), ""};
      case 2:
        return {one_in(2) ? key() : std::string(1, '\0'), std::string(1, '\0')};
      default:
        return {key(), key()};
    }
  }
  LeaseId lease() { return one_in(3) ? LeaseId(1 + below(4)) : LeaseId(0); }

  PutRequest put() {
    PutRequest request;
    request.key = key();
    request.prev_kv = one_in(2);
    request.ignore_value = one_in(8);
    request.ignore_lease = one_in(8);
    if (!request.ignore_value) request.value = std::string(1, static_cast<char>('p' + below(6)));
    if (!request.ignore_lease) request.lease = lease();
    return request;
  }
  DeleteRangeRequest remove() { return {key_range(), one_in(2)}; }
  // Revisions around what is there: `current` plus or minus, and now and then nonsense.
  RangeRequest range(int64_t current) {
    RangeRequest request;
    request.range = key_range();
    request.limit = one_in(2) ? below(5) - 1 : 0;
    if (one_in(3)) request.revision = Revision(current + 1 - below(12));
    request.sort_order = static_cast<SortOrder>(below(3));
    request.sort_target = static_cast<SortTarget>(one_in(2) ? 0 : below(5));
    request.keys_only = one_in(4);
    request.count_only = one_in(5);
    if (one_in(6)) request.min_mod_revision = Revision(current - below(10));
    if (one_in(6)) request.max_mod_revision = Revision(current - below(10));
    if (one_in(6)) request.min_create_revision = Revision(current - below(20));
    if (one_in(6)) request.max_create_revision = Revision(current - below(20));
    return request;
  }
  Compare compare(int64_t current) {
    Compare compare;
    compare.range = key_range();
    compare.result = static_cast<CompareResult>(one_in(20) ? 9 : below(4));
    compare.target = static_cast<CompareTarget>(below(5));
    switch (compare.target) {
      case CompareTarget::value:
        compare.value = std::string(1, static_cast<char>('p' + below(6)));
        break;
      case CompareTarget::create:
      case CompareTarget::mod:
        compare.number = one_in(3) ? 0 : current - below(8);
        break;
      default:
        compare.number = below(4);
    }
    return compare;
  }
  TxnRequest txn(int64_t current, int depth = 2) {
    TxnRequest request;
    for (int64_t n = below(3); n > 0; --n) request.compares.push_back(compare(current));
    for (int64_t n = below(4); n > 0; --n) request.success.push_back(op(current, depth));
    for (int64_t n = below(4); n > 0; --n) request.failure.push_back(op(current, depth));
    return request;
  }

 private:
  RequestOp op(int64_t current, int depth) {
    switch (below(depth > 0 ? 8 : 6)) {
      case 0:
      case 1: {
        RangeRequest request = range(current);
        if (!one_in(4)) request.revision = Revision(0);
        return request;
      }
      case 2:
      case 3:
      case 4: {
        PutRequest request = put();
        if (!one_in(4)) request.lease = LeaseId(0);
        return request;
      }
      case 5:
        return remove();
      default:
        return std::make_unique<TxnRequest>(txn(current, depth - 1));
    }
  }

  std::mt19937_64 random_;
};

}  // namespace lattice::keyspace
