#include "auth/key_intervals.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

namespace lattice::auth {
namespace {

const std::string open_end(1, '\0');

KeyIntervals granted(std::initializer_list<std::pair<std::string, std::string>> ranges) {
  KeyIntervals intervals;
  for (const auto& [key, end] : ranges) intervals.add(key, end);
  intervals.settle();
  return intervals;
}

TEST_CASE("key intervals: one key is itself and nothing else") {
  const KeyIntervals intervals = granted({{"b", ""}});
  CHECK(intervals.cover("b", ""));
  CHECK(intervals.cover("b", std::string("b\0", 2)));
  CHECK_FALSE(intervals.cover("b", "c"));
  CHECK_FALSE(intervals.cover("a", ""));
  CHECK_FALSE(intervals.cover(std::string("b\0", 2), ""));
  CHECK_FALSE(intervals.cover("b", open_end));
}

TEST_CASE("key intervals: ranges that overlap or touch count as one, others do not") {
  const KeyIntervals intervals =
      granted({{"n", "p"}, {"a", "c"}, {"m", "n"}, {"o", "q"}, {"r", "s"}});
  CHECK(intervals.cover("m", "q"));
  CHECK(intervals.cover("m", ""));
  CHECK_FALSE(intervals.cover("m", "r"));
  CHECK_FALSE(intervals.cover("q", ""));
  CHECK_FALSE(intervals.cover("a", "n"));
}

TEST_CASE("key intervals: an open end covers every greater key, and nothing else covers it") {
  CHECK(granted({{"s", open_end}}).cover("s", open_end));
  CHECK(granted({{"s", open_end}}).cover("t", "zz"));
  CHECK_FALSE(granted({{"s", open_end}}).cover("r", open_end));
  CHECK_FALSE(granted({{"s", "\xff\xff"}}).cover("s", open_end));
  CHECK(granted({{open_end, open_end}}).cover(open_end, open_end));
  CHECK(granted({{"a", "c"}, {"b", open_end}, {"d", "e"}}).cover("a", open_end));
}

TEST_CASE("key intervals: what asks for nothing is answered where its begin is granted") {
  CHECK(granted({{"a", "d"}}).cover("c", "b"));
  CHECK(granted({{"b", "d"}}).cover("c", "a"));
  CHECK(granted({{"b", open_end}}).cover("c", "a"));
  CHECK_FALSE(granted({{"a", "b"}}).cover("c", "a"));
}

TEST_CASE("key intervals: every request over a small alphabet agrees with counting keys") {
  // Keys are single letters; a request covers the letters that it names.
  const std::string letters = "abcdef";
  for (unsigned first = 0; first < 36; ++first) {
    for (unsigned second = 0; second < 36; ++second) {
      std::set<char> allowed;
      KeyIntervals intervals;
      for (const unsigned pick : {first, second}) {
        const std::string begin(1, letters[pick / 6]);
        const std::string end(1, static_cast<char>(letters[pick % 6] + 1));
        if (begin >= end) continue;
        intervals.add(begin, end);
        for (char c = begin[0]; c < end[0]; ++c) allowed.insert(c);
      }
      intervals.settle();
      for (char begin = 'a'; begin <= 'f'; ++begin) {
        for (char end = static_cast<char>(begin + 1); end <= 'g'; ++end) {
          bool expected = true;
          for (char c = begin; c < end; ++c) expected = expected && allowed.contains(c);
          CHECK(intervals.cover(std::string(1, begin), std::string(1, end)) == expected);
        }
      }
    }
  }
}

}  // namespace
}  // namespace lattice::auth
