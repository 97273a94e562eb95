// The hand-written decoders against the generated classes, for random requests, whole and damaged.
#include "etcd/decode.h"

#include <doctest/doctest.h>

#include "etcd/decode_duel.h"
#include "etcd/samples.h"
#include "keyspace/keyspace.h"

namespace lattice::etcd {
namespace {

using testing::Samples;

void randomise(Samples& samples, etcdserverpb::RangeRequest* out) {
  out->set_key(samples.bytes());
  out->set_range_end(samples.bytes());
  out->set_limit(samples.number());
  out->set_revision(samples.number());
  out->set_sort_order(static_cast<etcdserverpb::RangeRequest::SortOrder>(samples.below(5)));
  out->set_sort_target(static_cast<etcdserverpb::RangeRequest::SortTarget>(samples.below(7)));
  out->set_serializable(samples.flip());
  out->set_keys_only(samples.flip());
  out->set_count_only(samples.flip());
  out->set_min_mod_revision(samples.number());
  out->set_max_mod_revision(samples.number());
  out->set_min_create_revision(samples.number());
  out->set_max_create_revision(samples.number());
}

void randomise(Samples& samples, etcdserverpb::PutRequest* out) {
  out->set_key(samples.bytes());
  out->set_value(samples.bytes());
  out->set_lease(samples.number());
  out->set_prev_kv(samples.flip());
  out->set_ignore_value(samples.flip());
  out->set_ignore_lease(samples.flip());
}

void randomise(Samples& samples, etcdserverpb::DeleteRangeRequest* out) {
  out->set_key(samples.bytes());
  out->set_range_end(samples.bytes());
  out->set_prev_kv(samples.flip());
}

// Target and arm are drawn apart: a client may send an operand that does not belong to the target.
void randomise(Samples& samples, etcdserverpb::Compare* out) {
  out->set_result(static_cast<etcdserverpb::Compare::CompareResult>(samples.below(5)));
  out->set_target(static_cast<etcdserverpb::Compare::CompareTarget>(samples.below(6)));
  out->set_key(samples.bytes());
  out->set_range_end(samples.bytes());
  switch (samples.below(6)) {
    case 0:
      out->set_version(samples.number());
      break;
    case 1:
      out->set_create_revision(samples.number());
      break;
    case 2:
      out->set_mod_revision(samples.number());
      break;
    case 3:
      out->set_value(samples.bytes());
      break;
    case 4:
      out->set_lease(samples.number());
      break;
    default:
      break;
  }
}

void randomise(Samples& samples, etcdserverpb::TxnRequest* out, int depth) {
  for (uint64_t i = samples.below(3); i > 0; --i) randomise(samples, out->add_compare());
  for (uint64_t i = samples.below(6); i > 0; --i) {
    etcdserverpb::RequestOp* op = samples.flip() ? out->add_success() : out->add_failure();
    switch (samples.below(depth > 0 ? 5 : 4)) {
      case 0:
        randomise(samples, op->mutable_request_range());
        break;
      case 1:
        randomise(samples, op->mutable_request_put());
        break;
      case 2:
        randomise(samples, op->mutable_request_delete_range());
        break;
      case 3:
        break;  // no arm at all
      default:
        randomise(samples, op->mutable_request_txn(), depth - 1);
    }
  }
}

using Disagreement = std::string (*)(std::string_view);

// The message itself, the message twice over (fields merge), and damaged copies.
void check(Samples& samples, const std::string& bytes, Disagreement disagreement) {
  REQUIRE(disagreement(bytes) == "");
  REQUIRE(disagreement(bytes + bytes) == "");
  for (int i = 0; i < 8; ++i) {
    std::string damaged = bytes.substr(0, samples.below(bytes.size() + 1));
    for (uint64_t flips = samples.below(4); flips > 0 && !damaged.empty(); --flips) {
      damaged[samples.below(std::min<size_t>(damaged.size(), 40))] =
          static_cast<char>(samples.below(256));
    }
    CAPTURE(damaged);
    REQUIRE(disagreement(damaged) == "");
  }
}

TEST_CASE("decoders agree with the generated classes") {
  for (uint64_t seed = 1; seed <= 3000; ++seed) {
    CAPTURE(seed);
    Samples samples(seed);
    etcdserverpb::RangeRequest range;
    randomise(samples, &range);
    check(samples, range.SerializeAsString(), &testing::range_disagreement);
    etcdserverpb::PutRequest put;
    randomise(samples, &put);
    check(samples, put.SerializeAsString(), &testing::put_disagreement);
    etcdserverpb::DeleteRangeRequest erase;
    randomise(samples, &erase);
    check(samples, erase.SerializeAsString(), &testing::delete_disagreement);
    etcdserverpb::TxnRequest txn;
    randomise(samples, &txn, 2);
    check(samples, txn.SerializeAsString(), &testing::txn_disagreement);
  }
}

TEST_CASE("unknown fields of every wire type are skipped") {
  std::string put = "\x0a\x01k\x12\x01v";
  std::string unknown = std::string("\x78\x05", 2) +  // field 15, varint
                        std::string("\x79\x01\x02\x03\x04\x05\x06\x07\x08", 9) +  // fixed64
                        std::string("\x7a\x02zz", 4) +                            // bytes
                        std::string("\x7b\x08\x01\x7c", 4) +                      // group
                        std::string("\x7d\x01\x02\x03\x04", 5);                   // fixed32
  Result<keyspace::PutRequest> decoded = decode_put(unknown + put + unknown);
  REQUIRE(decoded.ok());
  CHECK(decoded->key == "k");
  CHECK(decoded->value == "v");
}

TEST_CASE("bytes that are no message are refused with an internal error") {
  Result<keyspace::PutRequest> decoded = decode_put("\x0a\x05k");
  REQUIRE_FALSE(decoded.ok());
  CHECK(decoded.error() == Error::internal);
  CHECK(decoded.status().detail().starts_with("grpc: error unmarshalling request: "));
}

TEST_CASE("of a transaction that is too long the rest is only checked") {
  const auto puts = [](int count) {
    etcdserverpb::TxnRequest txn;
    for (int i = 0; i < count; ++i) txn.add_success()->mutable_request_put()->set_key("k");
    return txn;
  };
  CHECK(decode_txn_up_to(puts(128).SerializeAsString(), 128)->success.size() == 128);
  const std::string bytes = puts(1000).SerializeAsString();
  CHECK(decode_txn_up_to(bytes, 128)->success.size() == 129);
  CHECK(decode_txn(bytes)->success.size() == 1000);
  CHECK(decode_txn_up_to(bytes + "\xff", 128).error() == Error::internal);
  // An operation behind those that are kept, whose body ends too early.
  CHECK(decode_txn_up_to(bytes + "\x12\x03\x12\x05x", 128).error() == Error::internal);

  etcdserverpb::TxnRequest outer = puts(1);
  *outer.add_failure()->mutable_request_txn() = puts(1000);
  const auto nested = decode_txn_up_to(outer.SerializeAsString(), 128);
  using Nested = std::unique_ptr<keyspace::TxnRequest>;
  CHECK(std::get<Nested>(nested->failure[0])->success.size() == 129);
  CHECK(keyspace::validate(*nested, 128).error() == Error::too_many_ops);

  CHECK(decode_txn_up_to(puts(20'000).SerializeAsString(), 128).error() == Error::too_many_ops);
}

TEST_CASE("transactions nested without end are refused before they are built") {
  etcdserverpb::TxnRequest txn;
  std::string bytes;
  for (int depth = 0; depth < 5000; ++depth) {
    etcdserverpb::RequestOp op;
    std::string nested;
    // By hand: serialising a message that deep would recurse itself.
    auto wrap = [](uint32_t field, const std::string& body) {
      std::string out(1, static_cast<char>(field << 3 | 2));
      for (size_t size = body.size();; size >>= 7) {
        out += static_cast<char>(size >= 0x80 ? (size | 0x80) : size);
        if (size < 0x80) break;
      }
      return out + body;
    };
    bytes = wrap(2, wrap(4, bytes));
  }
  CHECK(decode_txn(bytes).error() == Error::too_many_ops);
}

}  // namespace
}  // namespace lattice::etcd
