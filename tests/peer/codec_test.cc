#include "peer/codec.h"

#include <doctest/doctest.h>

#include <variant>

#include "peer/codec_parts.h"
#include "peer/random_values.h"

namespace lattice::peer {
namespace {

constexpr size_t call_kinds = std::variant_size_v<replica::PeerCall>;
constexpr size_t answer_kinds = std::variant_size_v<replica::PeerAnswer>;

// One value is the other when both encode to the same bytes; that every field is in the bytes is
// shown by writing fields one at a time, further below.
TEST_CASE("calls of every kind come out as they went in") {
  RandomValues random(1);
  for (int i = 0; i < 3000; ++i) {
    const size_t kind = static_cast<size_t>(i) % call_kinds;
    const auto log = random.array<replica::LogId>();
    const Duration patience(static_cast<int64_t>(random.below(1'000'000'000'000)));
    const std::string bytes = encode_call(7, log, {random.call(kind), patience, random.caller()});
    std::optional<DecodedFrame> frame = decode_frame(bytes);
    REQUIRE(frame);
    REQUIRE(frame->calls.size() == 1);
    CHECK(frame->answers.empty());
    DecodedCall& call = frame->calls.front();
    CHECK(call.id == 7);
    CHECK(call.log == log);
    REQUIRE(call.request.ok());
    CHECK(call.request->call.index() == kind);
    CHECK(call.request->patience == patience);
    CHECK(encode_call(7, log, std::move(*call.request)) == bytes);
  }
}

TEST_CASE("answers of every kind come out as they went in") {
  RandomValues random(2);
  for (int i = 0; i < 3000; ++i) {
    const size_t kind = static_cast<size_t>(i) % answer_kinds;
    const replica::PeerReply reply = random.reply(kind);
    const std::string bytes = encode_answer(9, reply);
    const std::optional<DecodedFrame> frame = decode_frame(bytes);
    REQUIRE(frame);
    REQUIRE(frame->answers.size() == 1);
    const DecodedAnswer& answer = frame->answers.front();
    CHECK(answer.id == 9);
    CHECK(answer.reply.epoch == reply.epoch);
    CHECK(answer.reply.incarnation == reply.incarnation);
    CHECK(answer.reply.position == reply.position);
    REQUIRE(answer.reply.answer.ok());
    CHECK(answer.reply.answer->index() == kind);
    CHECK(encode_answer(9, answer.reply) == bytes);
  }
}

TEST_CASE("every field of a put, a range and a key-value arrives") {
  RandomValues random(3);
  keyspace::PutRequest put{"key", "value", LeaseId(-5), true, false, true};
  auto frame = decode_frame(encode_call(1, {}, {put, {}}));
  const auto& got = std::get<keyspace::PutRequest>(frame->calls[0].request->call);
  CHECK(got.key == "key");
  CHECK(got.value == "value");
  CHECK(got.lease == LeaseId(-5));
  CHECK(got.prev_kv);
  CHECK_FALSE(got.ignore_value);
  CHECK(got.ignore_lease);

  for (int i = 0; i < 200; ++i) {
    keyspace::TxnRequest txn;
    const keyspace::RangeRequest in = random.range_request();
    txn.failure.emplace_back(in);
    frame = decode_frame(encode_call(1, {}, {std::move(txn), {}}));
    const auto& back = std::get<keyspace::TxnRequest>(frame->calls[0].request->call);
    const auto& out = std::get<keyspace::RangeRequest>(back.failure.at(0));
    CHECK(out.range.key == in.range.key);
    CHECK(out.range.end == in.range.end);
    CHECK(out.limit == in.limit);
    CHECK(out.revision == in.revision);
    CHECK(out.sort_order == in.sort_order);
    CHECK(out.sort_target == in.sort_target);
    CHECK(out.serializable == in.serializable);
    CHECK(out.keys_only == in.keys_only);
    CHECK(out.count_only == in.count_only);
    CHECK(out.min_mod_revision == in.min_mod_revision);
    CHECK(out.max_mod_revision == in.max_mod_revision);
    CHECK(out.min_create_revision == in.min_create_revision);
    CHECK(out.max_create_revision == in.max_create_revision);

    replica::PeerReply reply;
    const keyspace::KvRef kv = random.kv();
    reply.answer = replica::PeerAnswer(keyspace::PutResult{Revision(4), kv});
    const auto answered = decode_frame(encode_answer(1, reply));
    const auto& result = std::get<keyspace::PutResult>(*answered->answers.at(0).reply.answer);
    CHECK(result.header_revision == Revision(4));
    CHECK(result.prev->encoded() == kv->encoded());
    CHECK(result.prev->key() == kv->key());
    CHECK(result.prev->value() == kv->value());
    CHECK(result.prev->mod_revision() == kv->mod_revision());
    CHECK(result.prev->lease() == kv->lease());
  }
}

TEST_CASE("every field of a compare arrives, whatever its target") {
  RandomValues random(5);
  for (int i = 0; i < 500; ++i) {
    const keyspace::Compare in = random.compare();
    keyspace::TxnRequest txn;
    txn.compares.push_back(in);
    const auto frame = decode_frame(encode_call(1, {}, {std::move(txn), {}}));
    const auto& back = std::get<keyspace::TxnRequest>(frame->calls.at(0).request->call);
    const keyspace::Compare& out = back.compares.at(0);
    CHECK(out.result == in.result);
    CHECK(out.target == in.target);
    CHECK(out.range.key == in.range.key);
    CHECK(out.range.end == in.range.end);
    CHECK(out.number == in.number);
    CHECK(out.value == in.value);
  }
}

TEST_CASE("encoded calls, one behind the other, are one frame") {
  RandomValues random(4);
  std::string bytes;
  for (uint64_t id = 1; id <= 50; ++id) {
    bytes += encode_call(id, {}, {random.call(id % call_kinds), {}});
    bytes += encode_answer(id + 100, random.reply(id % answer_kinds));
  }
  const auto frame = decode_frame(bytes);
  REQUIRE(frame);
  REQUIRE(frame->calls.size() == 50);
  REQUIRE(frame->answers.size() == 50);
  for (uint64_t i = 0; i < 50; ++i) {
    CHECK(frame->calls[i].id == i + 1);
    CHECK(frame->answers[i].id == i + 101);
  }
}

TEST_CASE("errors travel by fixed numbers; a number from the future is an internal error") {
  for (int error = 1; error <= static_cast<int>(Error::io); ++error) {
    replica::PeerReply reply;
    reply.answer = Status(static_cast<Error>(error), "why \xff");
    const auto frame = decode_frame(encode_answer(1, reply));
    REQUIRE(frame);
    CHECK(frame->answers[0].reply.answer.error() == static_cast<Error>(error));
    CHECK(frame->answers[0].reply.answer.status().detail() == "why \xff");
    CHECK(error_of(code_of(static_cast<Error>(error))) == static_cast<Error>(error));
  }
  CHECK(code_of(Error::not_leader) == 20);
  CHECK(code_of(Error::unsent) == 36);
  CHECK(code_of(Error::io) == 43);
  CHECK(error_of(12345) == Error::internal);
  v1::Frame frame;
  v1::Answer* answer = frame.add_answers();
  answer->mutable_incarnation()->assign(16, 'i');
  answer->mutable_position()->mutable_digest()->assign(32, 'd');
  answer->mutable_failure()->set_code(v1::OK);
  CHECK(decode_frame(frame.SerializeAsString())->answers[0].reply.answer.error() ==
        Error::internal);
}

TEST_CASE("what makes no sense is an error of its call, not of the stream") {
  v1::Frame frame;
  frame.add_calls()->set_id(1);
  v1::Call* unknown = frame.add_calls();
  unknown->mutable_log()->assign(16, 'l');
  v1::Call* bad_tip = frame.add_calls();
  bad_tip->mutable_log()->assign(16, 'l');
  bad_tip->mutable_take_over()->set_digest("short");
  frame.add_answers()->mutable_nothing();
  v1::Answer* bad_kv = frame.add_answers();
  bad_kv->mutable_incarnation()->assign(16, 'i');
  bad_kv->mutable_position()->mutable_digest()->assign(32, 'd');
  bad_kv->mutable_put()->set_prev_kv("\xff\xff");
  const auto decoded = decode_frame(frame.SerializeAsString());
  REQUIRE(decoded);
  CHECK(decoded->calls[0].request.error() == Error::invalid_argument);
  CHECK(decoded->calls[1].request.error() == Error::unimplemented);
  CHECK(decoded->calls[2].request.error() == Error::invalid_argument);
  CHECK(decoded->answers[0].reply.answer.error() == Error::internal);
  CHECK(decoded->answers[1].reply.answer.error() == Error::internal);
  CHECK_FALSE(decode_frame("\x0a\xff"));
  CHECK_FALSE(decode_frame("\x0a\xff\xff\xff\xff\x0f"));
}

TEST_CASE("transactions are as deep as a client's may be, and no deeper") {
  const auto nested = [](int depth) {
    keyspace::TxnRequest txn;
    for (int i = 0; i < depth; ++i) {
      keyspace::TxnRequest outer;
      outer.success.emplace_back(std::make_unique<keyspace::TxnRequest>(std::move(txn)));
      txn = std::move(outer);
    }
    return encode_call(1, {}, {std::move(txn), {}});
  };
  CHECK(decode_frame(nested(50)));
  CHECK_FALSE(decode_frame(nested(500)));
}

TEST_CASE("each call knows the kind of its answer") {
  CHECK(answer_index(replica::PeerCall(replica::PositionCall()).index()) == 0);
  CHECK(answer_index(replica::PeerCall(replica::LeaseRevokeCall()).index()) ==
        replica::PeerAnswer(Revision(1)).index());
  CHECK(answer_index(replica::PeerCall(replica::LeaseLeasesCall()).index()) ==
        replica::PeerAnswer(replica::LeaseLeasesResult()).index());
  CHECK(answer_index(replica::PeerCall(replica::TakeOverCall()).index()) == 0);
  CHECK(answer_index(replica::PeerCall(replica::WitnessCall()).index()) == 0);
  CHECK(answer_index(replica::PeerCall(replica::AlarmCall()).index()) ==
        replica::PeerAnswer(replica::AlarmResult()).index());
}

}  // namespace
}  // namespace lattice::peer
