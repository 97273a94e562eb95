#include "proxy/gzip.h"

#include <doctest/doctest.h>
#include <zlib.h>

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

TEST_CASE("Inflating stops at the limit") {
  const std::string text(100'000, 'x');
  const Bytes zipped = Bytes::copy(zip(text));
  CHECK(gzip_inflate(zipped, 100'000).bytes.view() == text);
  CHECK(gzip_inflate(zipped, 99'999).outcome == InflateOutcome::too_large);
  CHECK(gzip_inflate(zipped, 0).outcome == InflateOutcome::too_large);
}

TEST_CASE("Corrupt input is told from good") {
  const std::string zipped = zip("some text to compress");
  CHECK(gzip_inflate(Bytes::copy(zipped), 1000).bytes.view() == "some text to compress");
  for (size_t cut = 1; cut < zipped.size(); ++cut) {
    CHECK(gzip_inflate(Bytes::copy(zipped.substr(0, cut)), 1000).outcome ==
          InflateOutcome::corrupt);
  }
  CHECK(gzip_inflate(Bytes::copy("not gzip at all"), 1000).outcome == InflateOutcome::corrupt);
  std::string flipped = zipped;
  flipped[flipped.size() - 6] ^= 1;  // its checksum
  CHECK(gzip_inflate(Bytes::copy(flipped), 1000).outcome == InflateOutcome::corrupt);
  CHECK(gzip_inflate(Bytes::copy(zip("")), 1000).outcome == InflateOutcome::ok);
  CHECK(gzip_inflate({}, 1000).outcome == InflateOutcome::corrupt);
  CHECK(gzip_inflate(Bytes::copy(zip("two ") + zip("members")), 1000).bytes.view() ==
        "two members");
}

TEST_CASE("What does not shrink is not compressed") {
  ByteChain chain(Bytes::copy(std::string(1000, 'a')));
  chain.append(Bytes::copy(std::string(1000, 'b')));
  const auto zipped = gzip_deflate(chain);
  REQUIRE(zipped.has_value());
  CHECK(zipped->size() < 100);
  CHECK(gzip_inflate(*zipped, 2000).bytes.view() == chain.flatten());
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
  CHECK(gzip_inflate(Bytes::copy(response.messages()[0]), 100'000).bytes.view() == text);
  CHECK(response.messages()[1] == "plain");
}

TEST_CASE("A bomb is refused at the limit") {
  TestServer server;
  TestClient client(server.address);
  const int32_t id = client.start("/test.Test/Echo", {{"grpc-encoding", "gzip"}});
  client.send_raw(id, grpc_frame(zip(std::string(200 << 20, '\0')), true), true);
  REQUIRE(client.wait_closed(id));
  CHECK(client.response(id).grpc_status() == 8);
  CHECK(client.response(id).grpc_message() ==
        "grpc: received message after decompression larger than max 2097152");
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
