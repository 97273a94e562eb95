// What peer_message_fuzz starts from: corpus/peer_message_fuzz. With LATTICE_WRITE_SEEDS set this
// writes those files anew, the same at every run, out of what nodes really send.
#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <variant>

#include "peer/codec.h"
#include "peer/handshake.h"
#include "peer/random_values.h"

namespace lattice::peer {
namespace {

constexpr size_t call_kinds = std::variant_size_v<replica::PeerCall>;
constexpr size_t answer_kinds = std::variant_size_v<replica::PeerAnswer>;

std::filesystem::path folder() {
  return std::filesystem::path(LATTICE_SOURCE_DIR) / "tests/peer/corpus/peer_message_fuzz";
}

void write(const char* name, const std::string& bytes) {
  std::ofstream file(folder() / name, std::ios::binary);
  file << bytes;
  REQUIRE(file.flush().good());
}

std::string read(const char* name) {
  std::ifstream file(folder() / name, std::ios::binary);
  REQUIRE_MESSAGE(file.good(), name << " is missing");
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_seeds() {
  std::filesystem::create_directories(folder());
  RandomValues random(1);
  std::string calls;
  for (size_t kind = 0; kind < call_kinds; ++kind) {
    const auto log = random.array<replica::LogId>();
    calls += encode_call(kind, log, {random.call(kind), std::chrono::seconds(7), random.caller()});
  }
  write("calls", calls);
  std::string answers;
  for (size_t kind = 0; kind < answer_kinds; ++kind) {
    answers += encode_answer(kind, random.reply(kind));
  }
  replica::PeerReply failed = random.reply(0);
  failed.answer = Status(Error::not_leader, "why");
  write("answers", answers + encode_answer(answer_kinds, failed));
  // The server that the fuzzer asks takes this hello; the rest is genuine for other nodes only.
  const Keyring keyring({"secret"});
  const ClientHandshake client(keyring, "cluster", {3});
  write("hello", client.hello());
  ServerHandshake server(keyring, "cluster", {4});
  const Result<std::string> welcome = server.on_hello(client.hello());
  REQUIRE(welcome.ok());
  write("welcome", *welcome);
  write("proof", client.on_welcome(*welcome)->proof);
}

}  // namespace

TEST_CASE("the fuzzer's seeds are messages that nodes understand") {
  if (std::getenv("LATTICE_WRITE_SEEDS") != nullptr) write_seeds();
  const auto calls = decode_frame(read("calls"));
  REQUIRE(calls);
  CHECK_FALSE(calls->calls.empty());
  for (const DecodedCall& call : calls->calls) CHECK(call.request.ok());
  auto answers = decode_frame(read("answers"));
  REQUIRE(answers);
  REQUIRE_FALSE(answers->answers.empty());
  CHECK(answers->answers.back().reply.answer.error() == Error::not_leader);
  answers->answers.pop_back();
  for (const DecodedAnswer& answer : answers->answers) CHECK(answer.reply.answer.ok());
  const Keyring keyring({"secret"});
  ServerHandshake server(keyring, "cluster", {4});
  CHECK(server.on_hello(read("hello")).ok());
  CHECK(server.on_proof(read("proof")).ok());
  CHECK(ClientHandshake(keyring, "cluster", {3}).on_welcome(read("welcome")).ok());
}

}  // namespace lattice::peer
