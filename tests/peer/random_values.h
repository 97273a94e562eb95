// Calls and answers of every kind with arbitrary contents, and when two are the same.
// Thread: a test's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "replica/peers.h"

namespace lattice::peer {

class RandomValues {
 public:
  explicit RandomValues(uint64_t seed) : state_(seed * 2 + 1) {}

  uint64_t number() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_ * 0x2545F4914F6CDD1DULL;
  }
  size_t below(size_t bound) { return (number() >> 11) % bound; }
  bool flag() { return below(2) == 1; }
  int64_t integer() {
    switch (below(4)) {
      case 0:
        return 0;
      case 1:
        return static_cast<int64_t>(below(1000));
      case 2:
        return static_cast<int64_t>(number());
      default:
        return -static_cast<int64_t>(below(1000));
    }
  }
  std::string text(size_t size_max = 20) {
    std::string out(below(size_max + 1), '\0');
    for (char& c : out) c = static_cast<char>(number());
    return out;
  }
  template <class Array>
  Array array() {
    Array out;
    for (auto& byte : out) byte = static_cast<uint8_t>(number());
    return out;
  }
  Position position() { return {Seq(number()), array<Digest>()}; }

  keyspace::KeyRange range() { return {text(), text()}; }
  keyspace::PutRequest put() {
    return {text(), text(100), LeaseId(integer()), flag(), flag(), flag()};
  }
  keyspace::DeleteRangeRequest delete_range() { return {range(), flag()}; }
  keyspace::RangeRequest range_request() {
    keyspace::RangeRequest out;
    out.range = range();
    out.limit = integer();
    out.revision = Revision(integer());
    out.sort_order = static_cast<keyspace::SortOrder>(integer());
    out.sort_target = static_cast<keyspace::SortTarget>(integer());
    out.serializable = flag();
    out.keys_only = flag();
    out.count_only = flag();
    out.min_mod_revision = Revision(integer());
    out.max_mod_revision = Revision(integer());
    out.min_create_revision = Revision(integer());
    out.max_create_revision = Revision(integer());
    return out;
  }
  keyspace::RequestOp op(int depth) {
    switch (below(depth > 0 ? 5 : 4)) {
      case 0:
        return std::monostate();
      case 1:
        return range_request();
      case 2:
        return put();
      case 3:
        return delete_range();
      default:
        return std::make_unique<keyspace::TxnRequest>(txn(depth - 1));
    }
  }
  // With the operand that its target has, as decoders of clients' requests leave it.
  keyspace::Compare compare() {
    keyspace::Compare out;
    out.result = static_cast<keyspace::CompareResult>(integer());
    out.target = static_cast<keyspace::CompareTarget>(below(7));
    out.range = range();
    if (out.target == keyspace::CompareTarget::value) {
      out.value = text();
    } else if (out.target <= keyspace::CompareTarget::lease) {
      out.number = integer();
    }
    return out;
  }
  keyspace::TxnRequest txn(int depth) {
    keyspace::TxnRequest out;
    for (size_t i = below(3); i > 0; --i) {
      out.compares.push_back(compare());
    }
    for (size_t i = below(4); i > 0; --i) out.success.push_back(op(depth));
    for (size_t i = below(4); i > 0; --i) out.failure.push_back(op(depth));
    return out;
  }
  replica::PeerCall call(size_t kind) {
    switch (kind) {
      case 0:
        return replica::PositionCall();
      case 1:
        return put();
      case 2:
        return delete_range();
      case 3:
        return txn(3);
      case 4:
        return replica::CompactCall{Revision(integer())};
      case 5:
        return replica::LeaseGrantCall{LeaseId(integer()), integer()};
      case 6:
        return replica::LeaseRevokeCall{LeaseId(integer())};
      case 7:
        return replica::LeaseKeepAliveCall{LeaseId(integer())};
      case 8:
        return replica::LeaseTimeToLiveCall{LeaseId(integer()), flag()};
      case 9:
        return replica::LeaseLeasesCall();
      case 10:
        return replica::TakeOverCall{position()};
      case 11:
        return replica::WitnessCall{position(), Revision(number())};
      case 12:
        return replica::AlarmCall{{flag(), {number(), static_cast<int32_t>(below(5))}}};
      default:
        return auth_change();
    }
  }
  auth::Change auth_change() {
    auth::Change out;
    out.kind = static_cast<auth::Change::Kind>(below(14));
    out.user = text();
    out.role = text();
    out.password_hash = text();
    out.no_password = flag();
    out.has_permission = flag();
    out.permission = {static_cast<auth::PermissionType>(integer()), text(), text()};
    if (out.kind == auth::Change::Kind::token_create) out.token = api_token();
    out.token_id = text();
    return out;
  }
  auth::ApiToken api_token() {
    auth::ApiToken out{text(), text(), text(), {}, flag(), integer(), integer()};
    for (size_t i = below(3); i > 0; --i) out.roles.push_back(text());
    return out;
  }
  auth::CallerRef caller() {
    if (flag()) return nullptr;
    return std::make_shared<const auth::Caller>(auth::Caller{
        static_cast<auth::Caller::Kind>(below(5)), text(), number(), text(), text(), integer()});
  }

  keyspace::KvRef kv() {
    const std::string key = text(), value = text(300);
    keyspace::KvRecord::Fields fields;
    fields.key = key;
    fields.value = value;
    fields.create_revision = Revision(integer());
    fields.mod_revision = Revision(integer());
    fields.version = integer();
    fields.lease = LeaseId(integer());
    return keyspace::KvRecord::make(fields);
  }
  std::vector<keyspace::KvRef> kvs() {
    std::vector<keyspace::KvRef> out(below(4));
    for (auto& entry : out) entry = kv();
    return out;
  }
  keyspace::PutResult put_result() {
    return {Revision(integer()), flag() ? kv() : keyspace::KvRef()};
  }
  keyspace::TxnResult txn_result(int depth) {
    keyspace::TxnResult out{Revision(integer()), flag(), {}};
    for (size_t i = below(4); i > 0; --i) {
      switch (below(depth > 0 ? 4 : 3)) {
        case 0:
          out.responses.emplace_back(
              keyspace::RangeResult{Revision(integer()), kvs(), flag(), flag(), flag(), integer()});
          break;
        case 1:
          out.responses.emplace_back(put_result());
          break;
        case 2:
          out.responses.emplace_back(
              keyspace::DeleteRangeResult{Revision(integer()), integer(), kvs()});
          break;
        default:
          out.responses.emplace_back(std::make_unique<keyspace::TxnResult>(txn_result(depth - 1)));
      }
    }
    return out;
  }
  lease::LeaseInfo lease() { return {LeaseId(integer()), integer(), integer()}; }
  replica::PeerAnswer answer(size_t kind) {
    switch (kind) {
      case 0:
        return std::monostate();
      case 1:
        return put_result();
      case 2:
        return keyspace::DeleteRangeResult{Revision(integer()), integer(), kvs()};
      case 3:
        return txn_result(3);
      case 4:
        return Revision(integer());
      case 5:
        return replica::LeaseGrantResult{Revision(integer()), LeaseId(integer()), integer()};
      case 6:
        return replica::LeaseKeepAliveResult{Revision(integer()), integer()};
      case 7:
        return replica::LeaseTimeToLiveResult{
            Revision(integer()), flag(), lease(), {text(), text()}};
      case 8:
        return replica::LeaseLeasesResult{Revision(integer()), {lease(), lease()}};
      default:
        return replica::AlarmResult{Revision(integer()), {{number(), 1}, {number(), 2}}};
    }
  }
  replica::PeerReply reply(size_t kind) {
    replica::PeerReply out{Epoch(number()), array<replica::Incarnation>(), position(),
                           Error::internal};
    out.answer = answer(kind);
    return out;
  }

 private:
  uint64_t state_;
};

}  // namespace lattice::peer
