#include "proxy/gzip.h"

#include <doctest/doctest.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "test_client.h"
#include "test_server.h"

namespace lattice::proxy {
namespace {

std::string zip(std::string_view text) {
  std::string out(text.size() + 1000, '\0');
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

using State = GzipInflater::State;

struct Inflated {
  State state = State::more;
  std::string text;
  size_t pieces = 0;
  size_t dearest = 0;  // of the pieces
};

Inflated inflate(std::string_view zipped, size_t bytes_max, size_t piece = SIZE_MAX) {
  GzipInflater inflater(Bytes::copy(zipped), bytes_max);
  Inflated out;
  for (size_t before = 0; out.state == State::more; before = inflater.spent()) {
    out.state = inflater.run(piece);
    ++out.pieces;
    out.dearest = std::max(out.dearest, inflater.spent() - before);
  }
  if (out.state == State::done) out.text = inflater.take().view();
  return out;
}

// So that many of its bytes are needed for few of the text.
std::string noise(size_t size) {
  std::string text;
  std::minstd_rand random(1);
  while (text.size() < size) text += static_cast<char>(random() >> 8U);
  return text;
}

TEST_CASE("Inflating stops at the limit") {
  const std::string text(100'000, 'x');
  const std::string zipped = zip(text);
  CHECK(inflate(zipped, 100'000).text == text);
  CHECK(inflate(zipped, 99'999).state == State::too_large);
  CHECK(inflate(zipped, 0).state == State::too_large);
}

TEST_CASE("Pieces of any size make the same, and none does more than it may") {
  std::string nothing;
  for (int i = 0; i < 1000; ++i) nothing += zip("");
  struct Row {
    std::string text, zipped;
  };
  const std::string zeros(300'000, '\0');
  const std::string random = noise(300'000);
  for (const Row& row : {Row{zeros, zip(zeros)}, Row{random, zip(random)}, Row{"", nothing},
                         Row{random + zeros, zip(random) + zip(zeros)}}) {
    for (const size_t piece : {1'000UL, 4'096UL, 65'536UL}) {
      const Inflated found = inflate(row.zipped, 1 << 20, piece);
      CHECK(found.state == State::done);
      CHECK((found.text == row.text));
      CHECK(found.dearest <= 2 * piece + 4);
      CHECK(found.pieces >= std::max(row.text.size(), 4 * row.zipped.size()) / (piece + 4));
      CHECK(inflate(row.zipped.substr(0, row.zipped.size() - 1), 1 << 20, piece).state ==
            State::corrupt);
    }
    CHECK(inflate(row.zipped, 1 << 20, 1).text == row.text);
  }
}

TEST_CASE("What a message says of its own length is not believed") {
  const std::string text(50'000, 'z');
  std::string zipped = zip(text);
  for (const uint32_t told : {0U, 1U, 49'999U, 51'000U, 0xffffffffU}) {
    std::memcpy(zipped.data() + zipped.size() - 4, &told, 4);
    CHECK(inflate(zipped, 100'000).state == State::corrupt);
  }
  CHECK(inflate(zip("x") + zip(text) + zip("y"), 100'000, 100).text == "x" + text + "y");
}

TEST_CASE("Corrupt input is told from good") {
  const std::string zipped = zip("some text to compress");
  CHECK(inflate(zipped, 1000).text == "some text to compress");
  for (size_t cut = 1; cut < zipped.size(); ++cut) {
    CHECK(inflate(zipped.substr(0, cut), 1000).state == State::corrupt);
  }
  CHECK(inflate("not gzip at all", 1000).state == State::corrupt);
  std::string flipped = zipped;
  flipped[flipped.size() - 6] ^= 1;  // its checksum
  CHECK(inflate(flipped, 1000).state == State::corrupt);
  CHECK(inflate(zip(""), 1000).state == State::done);
  CHECK(inflate({}, 1000).state == State::corrupt);
  CHECK(inflate(zip("two ") + zip("members"), 1000).text == "two members");
}

TEST_CASE("What does not shrink is not compressed") {
  ByteChain chain(Bytes::copy(std::string(1000, 'a')));
  chain.append(Bytes::copy(std::string(1000, 'b')));
  const auto zipped = gzip_deflate(chain);
  REQUIRE(zipped.has_value());
  CHECK(zipped->size() < 100);
  CHECK(inflate(zipped->view(), 2000).text == chain.flatten());
  CHECK_FALSE(gzip_deflate(ByteChain(Bytes::copy("short"))).has_value());
}

TEST_CASE("Compressed requests are understood and answered compressed") {
  TestServer server;
  TestClient client(server.address);
  const std::string text(50'000, 'y');
  const int32_t id = client.start("/test.Test/Echo", {{"grpc-encoding", "gzip"}});
  client.send_raw(id, grpc_frame(zip(text), /*compressed=*/true), false);
  client.send_raw(id, grpc_frame("plain"), true);
  REQUIRE(client.wait_closed(id));
  const auto& response = client.response(id);
  CHECK(response.grpc_status() == 0);
  CHECK(response.headers.at("grpc-encoding") == "gzip");
  REQUIRE(response.messages().size() == 2);
  CHECK(response.body[0] == 1);
  CHECK(inflate(response.messages()[0], 100'000).text == text);
  CHECK(response.messages()[1] == "plain");
}

// In a frame, compressed.
std::string zipped_frame(std::string_view text) { return grpc_frame(zip(text), true); }

const TestClient::Headers gzip_encoding = {{"grpc-encoding", "gzip"}};

std::vector<std::string> inflated_messages(const TestClient::Response& response) {
  std::vector<std::string> out;
  size_t at = 0;
  for (const std::string& message : response.messages()) {
    out.push_back(response.body[at] == 1 ? inflate(message, 4 << 20).text : message);
    at += 5 + message.size();
  }
  return out;
}

TEST_CASE("What follows a large message on its stream waits, and what other streams ask does not") {
  TestServer server(TestServer::fair);
  TestClient client(server.address);
  const std::string large(2 << 20, 'y');
  const int32_t id = client.start("/test.Test/Echo", gzip_encoding);
  const int32_t other = client.start("/test.Test/Echo");
  // In one read.
  client.send_raw(id, zipped_frame(large) + grpc_frame("behind") + zipped_frame("and more"), true);
  client.send(other, "meanwhile", true);
  REQUIRE(client.wait_closed(id));
  CHECK((inflated_messages(client.response(id)) ==
         std::vector<std::string>{large, "behind", "and more"}));
  CHECK(client.response(id).grpc_status() == 0);
  CHECK(client.closed_in_order() == std::vector<int32_t>{other, id});
}

TEST_CASE("Many messages that each inflate to much come through whole") {
  TestServer server(TestServer::fair);
  TestClient client(server.address);
  std::vector<int32_t> ids;
  for (int i = 0; i < 40; ++i) {
    ids.push_back(client.start("/test.Test/Echo", gzip_encoding));
    const char c = static_cast<char>('A' + i);
    client.send_raw(ids.back(),
                    zipped_frame(std::string(100'000, c)) + zipped_frame(std::string(10, c)), true);
  }
  for (size_t i = 0; i < ids.size(); ++i) {
    REQUIRE(client.wait_closed(ids[i]));
    const char c = static_cast<char>('A' + i);
    CHECK((inflated_messages(client.response(ids[i])) ==
           std::vector<std::string>{std::string(100'000, c), std::string(10, c)}));
  }
}

TEST_CASE("Calls that end while their messages wait to be inflated are forgotten") {
  TestServer server(TestServer::fair);
  const std::string bomb = zipped_frame(std::string(64 << 20, '\0'));
  for (int round = 0; round < 10; ++round) {
    std::vector<std::unique_ptr<TestClient>> crowd;
    for (int i = 0; i < 6; ++i) {
      crowd.push_back(std::make_unique<TestClient>(server.address));
      TestClient& client = *crowd.back();
      for (int call = 0; call < 6; ++call) {
        TestClient::Headers headers = gzip_encoding;
        if (call % 3 == 1) headers.emplace_back("grpc-timeout", "100u");
        const int32_t id = client.start("/test.Test/Echo", headers);
        client.send_raw(id, bomb + grpc_frame("behind"), call % 2 == 0);
        if (call % 3 == 2) client.cancel(id);
      }
    }
    TestClient last(server.address);
    const int32_t id = last.start("/test.Test/Echo", gzip_encoding);
    last.send_raw(id, zipped_frame(std::string(1 << 20, 'x')), true);
    if (round % 2 == 0) crowd.clear();
    REQUIRE(last.wait_closed(id));
    CHECK((inflated_messages(last.response(id)) ==
           std::vector<std::string>{std::string(1 << 20, 'x')}));
  }
  CHECK(TestServer::eventually([&] { return server.connections() == 0; }));
  CHECK(
      TestServer::eventually([&] { return server.counters.destroyed == server.counters.started; }));
}

void check_bomb(TestServer& server) {
  TestClient client(server.address);
  const int32_t id = client.start("/test.Test/Echo", {{"grpc-encoding", "gzip"}});
  client.send_raw(id, grpc_frame(zip(std::string(200 << 20, '\0')), true), true);
  REQUIRE(client.wait_closed(id));
  CHECK(client.response(id).grpc_status() == 8);
  CHECK(client.response(id).grpc_message() ==
        "grpc: received message after decompression larger than max 2097152");
}

TEST_CASE("A bomb is refused at the limit, whether its loop is shared or not") {
  TestServer alone;
  check_bomb(alone);
  TestServer shared(TestServer::fair);
  check_bomb(shared);
}

TEST_CASE("Encodings that do not fit are refused with grpc-go's texts") {
  TestServer server;
  TestClient client(server.address);
  const auto unknown = client.call("/test.Test/Echo", "x", {{"grpc-encoding", "snappy"}});
  CHECK(unknown.grpc_status() == 12);
  CHECK(unknown.grpc_message() ==
        "grpc: Decompressor is not installed for grpc-encoding \"snappy\"");
  const int32_t id = client.start("/test.Test/Echo");
  client.send_raw(id, grpc_frame(zip("x"), true), true);
  REQUIRE(client.wait_closed(id));
  CHECK(client.response(id).grpc_status() == 13);
  CHECK(client.response(id).grpc_message() ==
        "grpc: compressed flag set with identity or empty encoding");
  CHECK(client.call("/test.Test/Echo", "x", {{"grpc-encoding", "identity"}}).grpc_status() == 0);
  const int32_t corrupt = client.start("/test.Test/Echo", {{"grpc-encoding", "gzip"}});
  client.send_raw(corrupt, grpc_frame("rubbish", true), true);
  REQUIRE(client.wait_closed(corrupt));
  CHECK(client.response(corrupt).grpc_status() == 13);
}

}  // namespace
}  // namespace lattice::proxy
