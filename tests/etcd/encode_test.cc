// The hand-written encoders against the generated classes: the same bytes, for random responses.
#include "etcd/encode.h"

#include <doctest/doctest.h>

#include "etcd/samples.h"
#include "etcd/watch_encoder.h"

namespace lattice::etcd {
namespace {

using testing::Samples;

const Identity identity({.cluster_id = 0xcdf818194e3a8c32,
                         .name = "one",
                         .client_urls = {"http://127.0.0.1:2379"}});
const Header header{identity, 7};

void fill(Revision revision, etcdserverpb::ResponseHeader* out) {
  out->set_cluster_id(identity.cluster_id());
  out->set_member_id(identity.member_id());
  out->set_revision(revision.value);
  out->set_raft_term(7);
}

void fill(const keyspace::KvRecord& kv, bool keys_only, mvccpb::KeyValue* out,
          bool with_lease = true) {
  out->set_key(std::string(kv.key()));
  out->set_create_revision(kv.create_revision().value);
  out->set_mod_revision(kv.mod_revision().value);
  out->set_version(kv.version());
  if (!keys_only) out->set_value(std::string(kv.value()));
  if (!keys_only || with_lease) out->set_lease(kv.lease().value);
}

void fill(const keyspace::RangeResult& result, etcdserverpb::RangeResponse* out) {
  for (const keyspace::KvRef& kv : result.kvs)
    fill(*kv, result.keys_only, out->add_kvs(), result.keys_only_with_lease);
  out->set_more(result.more);
  out->set_count(result.count);
}
void fill(const keyspace::PutResult& result, etcdserverpb::PutResponse* out) {
  if (result.prev) fill(*result.prev, false, out->mutable_prev_kv());
}
void fill(const keyspace::DeleteRangeResult& result, etcdserverpb::DeleteRangeResponse* out) {
  out->set_deleted(result.deleted);
  for (const keyspace::KvRef& kv : result.prevs) fill(*kv, false, out->add_prev_kvs());
}

// Inner headers carry a revision only, a nested transaction's nothing.
void fill(const keyspace::TxnResult& result, etcdserverpb::TxnResponse* out) {
  out->set_succeeded(result.succeeded);
  for (const keyspace::ResponseOp& op : result.responses) {
    etcdserverpb::ResponseOp* response = out->add_responses();
    if (const auto* range = std::get_if<keyspace::RangeResult>(&op)) {
      auto* inner = response->mutable_response_range();
      inner->mutable_header()->set_revision(range->header_revision.value);
      fill(*range, inner);
    } else if (const auto* put = std::get_if<keyspace::PutResult>(&op)) {
      auto* inner = response->mutable_response_put();
      inner->mutable_header()->set_revision(put->header_revision.value);
      fill(*put, inner);
    } else if (const auto* erase = std::get_if<keyspace::DeleteRangeResult>(&op)) {
      auto* inner = response->mutable_response_delete_range();
      inner->mutable_header()->set_revision(erase->header_revision.value);
      fill(*erase, inner);
    } else {
      auto* inner = response->mutable_response_txn();
      inner->mutable_header();
      fill(*std::get<std::unique_ptr<keyspace::TxnResult>>(op), inner);
    }
  }
}

template <class Response, class ResultType>
void check_same(const ResultType& result, uint64_t seed) {
  CAPTURE(seed);
  Response expected;
  fill(result.header_revision, expected.mutable_header());
  fill(result, &expected);
  ByteChain encoded = encode(header, result);
  REQUIRE(encoded.flatten() == expected.SerializeAsString());
  REQUIRE(encoded.size() == expected.ByteSizeLong());
}

TEST_CASE("range, put, delete and transaction responses equal the generated encoding") {
  for (uint64_t seed = 1; seed <= 3000; ++seed) {
    Samples samples(seed);
    check_same<etcdserverpb::RangeResponse>(samples.range_result(), seed);
    check_same<etcdserverpb::PutResponse>(samples.put_result(), seed);
    check_same<etcdserverpb::DeleteRangeResponse>(samples.delete_result(), seed);
    check_same<etcdserverpb::TxnResponse>(samples.txn_result(3), seed);
  }
}

TEST_CASE("pieces of a streamed range merge into the range response") {
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    CAPTURE(seed);
    Samples samples(seed);
    keyspace::RangeResult first = samples.range_result(), last = samples.range_result();
    first.more = false;
    first.count = 0;
    last.keys_only = first.keys_only;
    last.keys_only_with_lease = first.keys_only_with_lease;
    etcdserverpb::RangeResponse expected;
    fill(last.header_revision, expected.mutable_header());
    fill(first, &expected);
    fill(last, &expected);

    etcdserverpb::RangeStreamResponse message;
    REQUIRE(message.ParseFromString(encode_stream_chunk(first).flatten()));
    REQUIRE(message.has_range_response());
    CHECK_FALSE(message.range_response().has_header());
    etcdserverpb::RangeResponse merged = message.range_response();
    REQUIRE(message.ParseFromString(encode_stream_end(header, last).flatten()));
    merged.MergeFrom(message.range_response());
    REQUIRE(merged.SerializeAsString() == expected.SerializeAsString());
  }
}

TEST_CASE("large values are spliced, not copied") {
  std::string value(4096, 'v');
  keyspace::RangeResult result;
  result.kvs.push_back(keyspace::KvRecord::make({.key = "k",
                                                 .value = value,
                                                 .create_revision = Revision(2),
                                                 .mod_revision = Revision(2),
                                                 .version = 1,
                                                 .lease = {},
                                                 .id = {}}));
  ByteChain encoded = encode(header, result);
  const char* stored = result.kvs.front()->value().data();
  bool shared = false;
  for (const Bytes& part : encoded.parts()) {
    shared |= stored >= part.data() && stored < part.data() + part.size();
  }
  CHECK(shared);
}

replica::WatchEvents random_events(Samples& samples, size_t count) {
  auto events = std::make_shared<std::vector<replica::WatchEvent>>();
  for (size_t i = 0; i < count; ++i) {
    events->push_back({samples.flip() ? samples.kv() : samples.tombstone(),
                       samples.flip() ? samples.kv() : keyspace::KvRef()});
  }
  return events;
}

void fill_tombstone_aware(const keyspace::KvRecord& kv, mvccpb::KeyValue* out) {
  if (!kv.tombstone()) return fill(kv, false, out);
  out->set_key(std::string(kv.key()));
  out->set_mod_revision(kv.mod_revision().value);
}

void fill(const std::vector<replica::WatchEvent>& events, etcdserverpb::WatchResponse* out) {
  for (const replica::WatchEvent& event : events) {
    mvccpb::Event* message = out->add_events();
    message->set_type(event.kv->tombstone() ? mvccpb::Event::DELETE : mvccpb::Event::PUT);
    fill_tombstone_aware(*event.kv, message->mutable_kv());
    if (event.prev) fill(*event.prev, false, message->mutable_prev_kv());
  }
}

TEST_CASE("watch responses equal the generated encoding") {
  for (uint64_t seed = 1; seed <= 2000; ++seed) {
    CAPTURE(seed);
    Samples samples(seed);
    WatchMessage message{.revision = Revision(samples.number()),
                         .id = WatchId(samples.number()),
                         .created = samples.flip(),
                         .canceled = samples.flip(),
                         .fragment = samples.flip(),
                         .compact_revision = Revision(samples.number())};
    if (samples.flip()) message.cancel_reason = "mvcc: watcher range is empty";
    etcdserverpb::WatchResponse expected;
    fill(message.revision, expected.mutable_header());
    expected.set_watch_id(message.id.value);
    expected.set_created(message.created);
    expected.set_canceled(message.canceled);
    expected.set_fragment(message.fragment);
    expected.set_compact_revision(message.compact_revision.value);
    expected.set_cancel_reason(std::string(message.cancel_reason));
    replica::WatchEvents events = random_events(samples, samples.below(4));
    EncodedEvents encoded = encode_events(events->data(), events->size());
    if (!events->empty()) message.events = &encoded;
    fill(*events, &expected);
    REQUIRE(encode(header, message).flatten() == expected.SerializeAsString());
  }
}

std::vector<etcdserverpb::WatchResponse> pieces_of(const replica::WatchEvents& events,
                                                   bool fragment, size_t fragment_bytes) {
  std::vector<etcdserverpb::WatchResponse> pieces;
  WatchEncoder encoder;
  encoder.encode(header, {WatchId(3), Revision(9), fragment, events}, fragment_bytes,
                 [&](ByteChain message) {
                   REQUIRE(pieces.emplace_back().ParseFromString(message.flatten()));
                 });
  return pieces;
}

TEST_CASE("a delivery above the fragment size is split between events") {
  Samples samples(5);
  replica::WatchEvents events = random_events(samples, 40);
  etcdserverpb::WatchResponse whole;
  fill(*events, &whole);

  auto pieces = pieces_of(events, true, 6000);
  REQUIRE(pieces.size() > 1);
  etcdserverpb::WatchResponse joined;
  for (size_t i = 0; i < pieces.size(); ++i) {
    CHECK(pieces[i].fragment() == (i + 1 < pieces.size()));
    CHECK(pieces[i].watch_id() == 3);
    CHECK(pieces[i].header().revision() == 9);
    CHECK(pieces[i].events_size() >= 1);
    for (const mvccpb::Event& event : pieces[i].events()) *joined.add_events() = event;
  }
  CHECK(joined.SerializeAsString() == whole.SerializeAsString());

  CHECK(pieces_of(events, false, 6000).size() == 1);
  CHECK(pieces_of(events, true, 10 << 20).size() == 1);
  CHECK(pieces_of(random_events(samples, 1), true, 1).size() == 1);
}

}  // namespace
}  // namespace lattice::etcd
