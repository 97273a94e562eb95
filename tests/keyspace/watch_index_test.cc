#include "keyspace/watch_index.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>

namespace lattice::keyspace {
namespace {

const std::string open_end(1, '\0');

std::vector<WatcherToken> matches(const WatchIndex& index, std::string_view key) {
  std::vector<WatcherToken> tokens;
  index.match(key, &tokens);
  std::sort(tokens.begin(), tokens.end());
  return tokens;
}

using Tokens = std::vector<WatcherToken>;

TEST_CASE("a single key is matched exactly") {
  WatchIndex index;
  index.add(1, {"a", ""});
  CHECK(matches(index, "a") == Tokens{1});
  CHECK(matches(index, "aa").empty());
  CHECK(matches(index, "").empty());
}

TEST_CASE("an interval holds its begin and not its end") {
  WatchIndex index;
  index.add(1, {"b", "d"});
  CHECK(matches(index, "a").empty());
  CHECK(matches(index, "b") == Tokens{1});
  CHECK(matches(index, "czz") == Tokens{1});
  CHECK(matches(index, "d").empty());
}

TEST_CASE("an open end reaches every greater key") {
  WatchIndex index;
  index.add(1, {"b", open_end});
  index.add(2, {open_end, open_end});
  CHECK(matches(index, "a") == Tokens{2});
  CHECK(matches(index, "\xFF\xFF") == Tokens{1, 2});
}

TEST_CASE("an inverted interval matches nothing") {
  WatchIndex index;
  index.add(1, {"d", "b"});
  for (const char* key : {"a", "b", "c", "d", "e"}) CHECK(matches(index, key).empty());
  index.remove(1, {"d", "b"});
  CHECK(index.size() == 0);
}

TEST_CASE("watchers of one interval come and go one by one") {
  WatchIndex index;
  for (WatcherToken token = 1; token <= 3; ++token) index.add(token, {"a", "c"});
  index.remove(1, {"a", "c"});
  CHECK(matches(index, "b") == Tokens{2, 3});
  index.remove(3, {"a", "c"});
  index.remove(2, {"a", "c"});
  CHECK(matches(index, "b").empty());
}

std::string random_key(std::mt19937_64& random) {
  std::string key;
  for (size_t size = 1 + random() % 4; size > 0; --size) key.push_back("abc\xFF"[random() % 4]);
  return key;
}

KeyRange random_range(std::mt19937_64& random) {
  switch (random() % 4) {
    case 0:
      return {random_key(random), ""};
    case 1:
      return {random_key(random), open_end};
    default:
      return {random_key(random), random_key(random)};  // half of them inverted
  }
}

TEST_CASE("agrees with a look at every watcher") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    WatchIndex index;
    std::map<WatcherToken, KeyRange> watchers;
    WatcherToken next = 0;
    for (int step = 0; step < 2000; ++step) {
      if (random() % 5 < 3 || watchers.empty()) {
        KeyRange range = random_range(random);
        index.add(next, range);
        watchers.emplace(next++, std::move(range));
      } else {
        auto at = std::next(watchers.begin(), static_cast<long>(random() % watchers.size()));
        index.remove(at->first, at->second);
        watchers.erase(at);
      }
      const std::string key = random_key(random);
      Tokens expected;
      for (const auto& [token, range] : watchers) {
        if (contains(range, key)) expected.push_back(token);
      }
      REQUIRE(matches(index, key) == expected);
      REQUIRE(index.size() == watchers.size());
    }
  }
}

}  // namespace
}  // namespace lattice::keyspace
