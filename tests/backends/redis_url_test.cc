#include "backends/redis/redis_url.h"

#include <doctest/doctest.h>

namespace lattice::backends {
namespace {

RedisUrl parse(const std::string& text) {
  const Result<RedisUrl> url = RedisUrl::parse(text);
  REQUIRE_MESSAGE(url.ok(), text, ": ", url.status().detail());
  return *url;
}

std::string refusal(const std::string& text) {
  const Result<RedisUrl> url = RedisUrl::parse(text);
  REQUIRE_MESSAGE(!url.ok(), text);
  CHECK(url.error() == Error::invalid_argument);
  return url.status().detail();
}

bool has(const std::string& text, const char* part) { return text.find(part) != text.npos; }

TEST_CASE("a URL that names a server") {
  struct Row {
    const char* text;
    const char* where;
    const char* user;
    const char* password;
  };
  for (const Row& row : {
           Row{"redis://cache.example", "cache.example:6379", "", ""},
           Row{"redis://cache.example/", "cache.example:6379", "", ""},
           Row{"redis://cache.example:7000/3", "cache.example:7000", "", ""},
           Row{"redis://:secret@h:1", "h:1", "", "secret"},
           Row{"redis://lattice:secret@10.0.0.1", "10.0.0.1:6379", "lattice", "secret"},
           Row{"redis://lattice@h", "h:6379", "lattice", ""},
           Row{"redis://a%3Ab:c%40d%2Fe%25@h", "h:6379", "a:b", "c@d/e%"},
           Row{"redis://u:with@sign:and:colons@h", "h:6379", "u", "with@sign:and:colons"},
           Row{"redis://[::1]", "[::1]:6379", "", ""},
           Row{"redis://u:p@[fe80::1]:6380/0", "[fe80::1]:6380", "u", "p"},
       }) {
    const RedisUrl url = parse(row.text);
    CHECK(url.describe() == row.where);
    CHECK(url.login.user == row.user);
    CHECK(url.login.password == row.password);
    CHECK(!url.by_sentinel());
    CHECK(url.hosts.size() == 1);
  }
}

TEST_CASE("a URL that names Sentinels") {
  const RedisUrl plain = parse("redis+sentinel://s1,s2:26380,[::1]/main");
  CHECK(plain.by_sentinel());
  CHECK(plain.master == "main");
  CHECK(plain.describe() == "master main of s1:26379,s2:26380,[::1]:26379");
  CHECK(!plain.login.given());
  CHECK(!plain.sentinel_login.given());

  const RedisUrl full =
      parse("redis+sentinel://u:p@s1:1/my%20set?sentinel_user=su&sentinel_password=s%26p");
  CHECK(full.master == "my set");
  CHECK(full.login.user == "u");
  CHECK(full.login.password == "p");
  CHECK(full.sentinel_login.user == "su");
  CHECK(full.sentinel_login.password == "s&p");
}

TEST_CASE("a URL that asks for TLS") {
  CHECK(parse("rediss://u:p@h").tls);
  CHECK(parse("rediss://u:p@h").hosts[0].port == "6379");
  CHECK(parse("rediss+sentinel://s1,s2/main").tls);
  CHECK(parse("rediss+sentinel://s1,s2/main").by_sentinel());
  CHECK_FALSE(parse("redis://h").tls);
}

TEST_CASE("a URL that is wrong is refused with what would be right and without what it holds") {
  struct Row {
    const char* text;
    const char* why;
  };
  for (const Row& row : {
           Row{"", "redis://[user[:password]@]host[:port][/db] or redis+sentinel://"},
           Row{"h-hidden:6379", "redis://"},
           Row{"http://h-hidden", "redis://"},
           Row{"redisss://u:hidden@h", "redis://"},
           Row{"rediss://u:hidden@", "no host"},
           Row{"redis://", "no host"},
           Row{"redis://:hidden@", "no host"},
           Row{"redis://hidden:port", "from 1 to 65535"},
           Row{"redis://hidden:0", "from 1 to 65535"},
           Row{"redis://hidden:65536", "from 1 to 65535"},
           Row{"redis://hidden:", "from 1 to 65535"},
           Row{"redis://hid den", "no host"},
           Row{"redis://[::1hidden", "no host"},
           Row{"redis://[::1]hidden", "no host"},
           Row{"redis://u:hidden/den@h", "from 1 to 65535"},
           Row{"redis://u:12/hidden@h", "no database number"},
           Row{"redis://u:hidden%4@h", "two hex digits"},
           Row{"redis://u:hidden%zz@h", "two hex digits"},
           Row{"redis://h/hidden", "no database number"},
           Row{"redis://hidden1,hidden2", "more than one host"},
           Row{"redis://h?sentinel_password=hidden", "no parameters"},
           Row{"redis+sentinel://hidden", "name that the Sentinels give"},
           Row{"redis+sentinel://hidden/", "name that the Sentinels give"},
           Row{"redis+sentinel://h/hidden/x", "name that the Sentinels give"},
           Row{"redis+sentinel://h,,g/hidden", "no host"},
           Row{"redis+sentinel://h/m?password=hidden", "sentinel_user nor sentinel_password"},
           Row{"redis+sentinel://h/m?sentinel_password=hidden%", "two hex digits"},
       }) {
    const std::string detail = refusal(row.text);
    CHECK_MESSAGE(has(detail, row.why), row.text, ": ", detail);
    CHECK_MESSAGE(has(detail, "redis"), detail);
    CHECK_MESSAGE(!has(detail, "hidden"), detail);
  }
}

}  // namespace
}  // namespace lattice::backends
