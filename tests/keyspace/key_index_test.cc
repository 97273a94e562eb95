// The key index against std::map, with keys chosen to make its nodes split, empty and change
// prefix.
#include "keyspace/key_index.h"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <string_view>
#include <vector>

namespace lattice::keyspace {
namespace {

KvRef version(const std::string& key, int64_t revision, bool tombstone = false) {
  KvRecord::Fields fields;
  fields.key = key;
  fields.mod_revision = Revision(revision);
  fields.create_revision = Revision(revision);
  fields.version = 1;
  fields.tombstone = tombstone;
  return KvRecord::make(fields);
}

// Beside the index: for each key the versions, true for a put.
using Known = std::map<std::string, std::vector<bool>>;

KeyRange range_of(std::mt19937_64& random, const std::function<std::string()>& key) {
  switch (random() % 4) {
    case 0:
      return {key(), ""};
    case 1:
      return {key(), std::string(1, '\0')};
    default:
      return {key(), key()};
  }
}

void check_range(const KeyIndex& index, const Known& known, const KeyRange& range) {
  const Interval interval(range);
  int64_t live = 0;
  auto cursor = index.walk(interval);
  for (const auto& [key, versions] : known) {
    if (!interval.contains(key)) continue;
    REQUIRE(cursor.valid());
    REQUIRE(cursor->key() == key);
    REQUIRE(cursor->size() == versions.size());
    cursor.next();
    live += versions.back() ? 1 : 0;
  }
  REQUIRE_FALSE(cursor.valid());
  REQUIRE(index.count_live(interval) == live);
}

class Churn {
 public:
  Churn(uint64_t seed, std::function<std::string(std::mt19937_64&)> make_key)
      : random_(seed), make_key_(std::move(make_key)) {}

  // `grow` of ten steps add a version, the others take one away.
  void run(int steps, uint64_t grow) {
    for (int i = 0; i < steps; ++i) {
      if (known_.empty() || random_() % 10 < grow) {
        add(make_key_(random_));
      } else {
        take();
      }
      if (i % 16 != 0) continue;
      check_range(index_, known_, range_of(random_, [this] { return make_key_(random_); }));
      const std::string key = make_key_(random_);
      REQUIRE((index_.find(key) != nullptr) == known_.contains(key));
    }
    check_range(index_, known_, {"", std::string(1, '\0')});
    REQUIRE(index_.size() == known_.size());
  }
  void empty() {
    while (!known_.empty()) take();
    check_range(index_, known_, {"", std::string(1, '\0')});
    REQUIRE(index_.size() == 0);
    REQUIRE(index_.memory_bytes() == KeyIndex().memory_bytes());
  }

 private:
  void add(const std::string& key) {
    KeyHistory* history = index_.find(key);
    const bool put = history == nullptr || random_() % 3 != 0;
    if (history == nullptr) {
      index_.insert(version(key, ++revision_));
    } else {
      REQUIRE(history->live() == known_[key].back());
      index_.push(history, version(key, ++revision_, !put));
    }
    known_[key].push_back(put);
  }
  void take() {
    auto at = known_.lower_bound(make_key_(random_));
    if (at == known_.end()) at = known_.begin();
    const std::string key = at->first;
    std::vector<bool>& versions = at->second;
    if (random_() % 2 == 0) {
      index_.pop_newest(key);
      versions.pop_back();
    } else {
      index_.pop_oldest(key);
      versions.erase(versions.begin());
    }
    if (versions.empty()) known_.erase(at);
  }

  std::mt19937_64 random_;
  std::function<std::string(std::mt19937_64&)> make_key_;
  KeyIndex index_;
  Known known_;
  int64_t revision_ = 1;
};

void churn(const std::function<std::string(std::mt19937_64&)>& make_key) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    CAPTURE(seed);
    Churn churn(seed, make_key);
    churn.run(6000, 8);
    churn.run(6000, 2);
    churn.run(3000, 6);
    churn.empty();
    churn.run(500, 9);
  }
}

TEST_CASE("keys like Kubernetes writes them") {
  churn([](std::mt19937_64& random) {
    return "/registry/pods/namespace-" + std::to_string(random() % 30) + "/pod-" +
           std::to_string(random() % 300);
  });
}

TEST_CASE("keys that differ only far behind a common beginning, and keys that begin others") {
  churn([](std::mt19937_64& random) {
    std::string key(random() % 40, 'x');
    for (size_t i = random() % 6; i > 0; --i) key.push_back("\0\1x\xFF"[random() % 4]);
    return key.empty() ? std::string("x") : key;
  });
}

TEST_CASE("keys with zero bytes where another key ends") {
  churn([](std::mt19937_64& random) {
    return "k" + std::string(random() % 30, '\0') + std::string(random() % 30, '\1');
  });
}

TEST_CASE("keys in ascending order fill leaves to the brim") {
  KeyIndex ascending;
  KeyIndex shuffled;
  for (int64_t i = 0; i < 6000; ++i) {
    ascending.insert(version("key-" + std::to_string(100000 + i), i + 2));
    shuffled.insert(version("key-" + std::to_string(100000 + i * 7919 % 6000), i + 2));
  }
  CHECK(ascending.memory_bytes() * 6 < shuffled.memory_bytes() * 5);
}

TEST_CASE("many keys are located at once, and where they are") {
  KeyIndex index;
  std::vector<std::string> names;
  for (int i = 0; i < 20'000; ++i) names.push_back("registry/pods/" + std::to_string(i * 7919));
  for (const std::string& name : names) index.insert(version(name, 2));
  names.emplace_back("registry/pods/none");
  names.emplace_back("a");
  names.emplace_back("z");
  const std::vector<std::string_view> keys(names.begin(), names.end());
  std::vector<const KeyHistory*> places(keys.size());
  index.locate(keys, places);
  size_t elsewhere = 0;
  for (size_t i = 0; i < keys.size(); ++i) {
    const KeyHistory* there = index.find(keys[i]);
    if (there == nullptr) {
      CHECK((places[i] == nullptr || places[i]->key() != keys[i]));
    } else if (places[i] != there) {
      ++elsewhere;
    }
  }
  // Keys that agree in the bytes that a node compares may stand a place or two further on.
  CHECK(elsewhere < keys.size() / 50);
}

}  // namespace
}  // namespace lattice::keyspace
