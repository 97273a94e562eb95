#include "base/keyring.h"

#include <doctest/doctest.h>

#include <string>

namespace lattice {
namespace {

std::string hex(const Digest& digest) {
  std::string text;
  for (const uint8_t byte : digest) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

}  // namespace

// RFC 4231, test cases 1, 2 and 6.
TEST_CASE("HMAC-SHA256 of the RFC's examples") {
  CHECK(hex(hmac_sha256(std::string(20, '\x0b'), "Hi There")) ==
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  CHECK(hex(hmac_sha256("Jefe", "what do ya want for nothing?")) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(hex(hmac_sha256(std::string(131, '\xaa'),
                        "Test Using Larger Than Block-Size Key - Hash Key First")) ==
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST_CASE("a message is known by its secret, its purpose and every byte") {
  const Keyring mine({"secret"});
  const Keyring::Mac mac = mine.sign("greeting", "hello");
  CHECK(mine.verify("greeting", "hello", mac));
  CHECK_FALSE(mine.verify("greeting", "hellO", mac));
  CHECK_FALSE(mine.verify("farewell", "hello", mac));
  CHECK_FALSE(Keyring({"Secret"}).verify("greeting", "hello", mac));
  for (size_t bit = 0; bit < 256; ++bit) {
    Keyring::Mac forged = mac;
    forged.digest[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
    CHECK_FALSE(mine.verify("greeting", "hello", forged));
  }
}

TEST_CASE("a secret is replaced in two steps, and nobody misunderstands anybody") {
  const Keyring before({"old"});
  const Keyring between({"new", "old"});
  const Keyring after({"new"});
  CHECK(between.verify("p", "m", before.sign("p", "m")));
  CHECK(after.verify("p", "m", between.sign("p", "m")));
  CHECK(between.verify("p", "m", after.sign("p", "m")));
  CHECK_FALSE(after.verify("p", "m", before.sign("p", "m")));
}

}  // namespace lattice
