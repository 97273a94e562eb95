#include "replica/fan_message.h"

#include <doctest/doctest.h>

#include <string>

namespace lattice::replica {
namespace {

const LogId log_a{1};
const LogId log_b{2};
const Keyring keyring({"secret"});

Batch batch_of(size_t value_size) {
  Batch batch;
  for (int i = 0; i < 2; ++i) {
    keyspace::Record record;
    record.revision = Revision(7);
    record.sub = i;
    record.key = Bytes::copy("key" + std::to_string(i));
    record.value = Bytes::copy(std::string(value_size, 'v'));
    record.create_revision = Revision(7);
    record.version = 1;
    batch.records.push_back(std::move(record));
  }
  batch.header.seq = Seq(5);
  batch.header.previous = {9};
  batch.header.epoch = Epoch(3);
  batch.header.incarnation = {4};
  batch.header.id = {5};
  batch.header.last_revision = Revision(7);
  batch.header.record_count = 2;
  batch.header.digest = compute_digest(log_a, batch.header, batch.records);
  return batch;
}

std::string message_of(const Batch& batch) {
  return encode_fan_message(keyring, log_a, batch.header.position(), &batch);
}

}  // namespace

TEST_CASE("a batch arrives as it was sent") {
  const Batch batch = batch_of(10);
  const auto message = decode_fan_message(keyring, log_a, message_of(batch));
  REQUIRE(message);
  CHECK(message->announced == batch.header.position());
  CHECK_FALSE(message->leaving);
  REQUIRE(message->batch);
  CHECK(message->batch->header.previous == batch.header.previous);
  CHECK(message->batch->header.last_revision == Revision(7));
  // All of it, to the byte: the digest says so.
  CHECK(compute_digest(log_a, message->batch->header, message->batch->records) ==
        batch.header.digest);
}

TEST_CASE("a large batch is announced without its records") {
  const Batch batch = batch_of(40'000);
  const std::string bytes = message_of(batch);
  CHECK(bytes.size() < 200);
  const auto message = decode_fan_message(keyring, log_a, bytes);
  REQUIRE(message);
  CHECK(message->announced == batch.header.position());
  CHECK_FALSE(message->batch);
}

TEST_CASE("a leader that leaves says so") {
  const auto bytes = encode_fan_message(keyring, log_a, {Seq(4), {1}}, nullptr, /*leaving=*/true);
  const auto message = decode_fan_message(keyring, log_a, bytes);
  REQUIRE(message);
  CHECK(message->leaving);
  CHECK(message->announced == Position{Seq(4), {1}});
}

TEST_CASE("whatever is changed, cut off, added or meant for others is not believed") {
  const std::string bytes = message_of(batch_of(10));
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string altered = bytes;
    altered[bit / 8] ^= static_cast<char>(1 << (bit % 8));
    CHECK_FALSE(decode_fan_message(keyring, log_a, altered));
  }
  for (size_t size = 0; size < bytes.size(); ++size) {
    CHECK_FALSE(decode_fan_message(keyring, log_a, std::string_view(bytes).substr(0, size)));
  }
  CHECK_FALSE(decode_fan_message(keyring, log_a, bytes + '\0'));
  CHECK_FALSE(decode_fan_message(keyring, log_b, bytes));
  CHECK_FALSE(decode_fan_message(Keyring({"another"}), log_a, bytes));
}

}  // namespace lattice::replica
