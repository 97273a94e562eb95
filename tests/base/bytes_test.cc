#include "base/bytes.h"

#include <doctest/doctest.h>

#include "base/byte_chain.h"

namespace lattice {
namespace {

TEST_CASE("a copy shares its content with what is copied from it") {
  Bytes first = Bytes::copy("hello");
  Bytes second = first;
  CHECK(second.data() == first.data());
  first = Bytes();
  CHECK(first.empty());
  CHECK(second.view() == "hello");
}

TEST_CASE("a slice keeps the block alive") {
  Bytes slice;
  {
    const Bytes whole = Bytes::copy("hello world");
    slice = whole.slice(6, 5);
  }
  CHECK(slice.view() == "world");
}

TEST_CASE("a moved-from Bytes is empty") {
  Bytes from = Bytes::copy("x");
  const Bytes to = std::move(from);
  CHECK(from.empty());  // NOLINT: what this checks
  CHECK(to.view() == "x");
}

TEST_CASE("assigning a Bytes to itself keeps it") {
  Bytes bytes = Bytes::copy("x");
  const Bytes& same = bytes;
  bytes = same;
  CHECK(bytes.view() == "x");
}

TEST_CASE("literals need no block") {
  const Bytes bytes = Bytes::literal("for ever");
  CHECK(Bytes(bytes).view() == "for ever");
}

TEST_CASE("equality is that of the content") {
  CHECK(Bytes::copy("a") == Bytes::literal("a"));
  CHECK_FALSE(Bytes::copy("a") == Bytes::copy("b"));
  CHECK(Bytes::copy("") == Bytes());
}

TEST_CASE("allocated bytes are filled before they are shared") {
  char* data = nullptr;
  const Bytes bytes = Bytes::allocate(3, &data);
  std::memcpy(data, "abc", 3);
  CHECK(bytes.view() == "abc");
}

TEST_CASE("a chain strings bytes together without copying them") {
  const Bytes part = Bytes::copy("part");
  ByteChain chain(part);
  chain.append(Bytes());
  ByteChain other(Bytes::literal("-"));
  other.append(part);
  chain.append(std::move(other));
  CHECK(chain.size() == 9);
  CHECK(chain.flatten() == "part-part");
  REQUIRE(chain.parts().size() == 3);
  CHECK(chain.parts()[0].data() == part.data());
  CHECK(chain.parts()[2].data() == part.data());
}

}  // namespace
}  // namespace lattice
