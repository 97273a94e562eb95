#include "keyspace/kv_record.h"

#include <doctest/doctest.h>

#include <random>

#include "proto/rpc.pb.h"

namespace lattice::keyspace {
namespace {

mvccpb::KeyValue decoded(const Bytes& bytes) {
  mvccpb::KeyValue message;
  REQUIRE(message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  return message;
}

std::string serialized(const google::protobuf::MessageLite& message) {
  return message.SerializeAsString();
}

KvRecord::Fields simple() {
  KvRecord::Fields fields;
  fields.key = "key";
  fields.value = "value";
  fields.create_revision = Revision(2);
  fields.mod_revision = Revision(300);
  fields.sub = 3;
  fields.version = 7;
  fields.lease = LeaseId(-1);
  fields.id = {Seq(9), 4};
  return fields;
}

TEST_CASE("a version answers what it was made of") {
  const KvRef kv = KvRecord::make(simple());
  CHECK(kv->key() == "key");
  CHECK(kv->value() == "value");
  CHECK(kv->create_revision() == Revision(2));
  CHECK(kv->mod_revision() == Revision(300));
  CHECK(kv->sub() == 3);
  CHECK(kv->version() == 7);
  CHECK(kv->lease() == LeaseId(-1));
  CHECK(kv->id() == RecordId{Seq(9), 4});
  CHECK_FALSE(kv->tombstone());
}

TEST_CASE("a tombstone carries its key and revision only") {
  KvRecord::Fields fields = simple();
  fields.tombstone = true;
  const KvRef kv = KvRecord::make(fields);
  CHECK(kv->tombstone());
  CHECK(kv->value().empty());
  mvccpb::KeyValue expected;
  expected.set_key("key");
  expected.set_mod_revision(300);
  CHECK(kv->encoded().view() == serialized(expected));
}

TEST_CASE("keys-only leaves out the value and the lease") {
  const mvccpb::KeyValue message = decoded(KvRecord::make(simple())->encode_keys_only());
  CHECK(message.key() == "key");
  CHECK(message.create_revision() == 2);
  CHECK(message.mod_revision() == 300);
  CHECK(message.version() == 7);
  CHECK(message.value().empty());
  CHECK(message.lease() == 0);
}

TEST_CASE("encoded bytes outlive the version") {
  Bytes bytes = KvRecord::make(simple())->encoded();
  CHECK(decoded(bytes).value() == "value");
}

// Sizes around those where a length takes another byte.
std::string random_text(std::mt19937_64& random) {
  static constexpr size_t sizes[] = {0,   1,   8,   100,   118,   119,  127,
                                     128, 129, 300, 16383, 16384, 70000};
  std::string text(sizes[random() % std::size(sizes)], '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

int64_t random_number(std::mt19937_64& random) {
  return static_cast<int64_t>(random() >> (1 + random() % 62));
}

TEST_CASE("the encoding is protobuf's, byte for byte") {
  std::mt19937_64 random(3);
  for (int i = 0; i < 3000; ++i) {
    const std::string key = "k" + random_text(random);
    const std::string value = random_text(random);
    KvRecord::Fields fields;
    fields.key = key;
    fields.value = value;
    fields.create_revision = Revision(random_number(random));
    fields.mod_revision = Revision(random_number(random));
    fields.version = random_number(random);
    fields.lease = LeaseId(random() % 2 == 0 ? random_number(random) : -random_number(random));
    const KvRef kv = KvRecord::make(fields);

    etcdserverpb::PutResponse carrier;
    mvccpb::KeyValue& expected = *carrier.mutable_prev_kv();
    expected.set_key(key);
    expected.set_value(value);
    expected.set_create_revision(fields.create_revision.value);
    expected.set_mod_revision(fields.mod_revision.value);
    expected.set_version(fields.version);
    expected.set_lease(fields.lease.value);
    REQUIRE(kv->encoded().view() == serialized(expected));
    REQUIRE(kv->encoded_as_field_2().view() == serialized(carrier));
    REQUIRE(kv->key() == key);
    REQUIRE(kv->value() == value);
    expected.clear_value();
    expected.clear_lease();
    REQUIRE(kv->encode_keys_only().view() == serialized(expected));
  }
}

}  // namespace
}  // namespace lattice::keyspace
