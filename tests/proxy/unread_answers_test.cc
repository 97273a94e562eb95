#include "proxy/unread_answers.h"

#include <doctest/doctest.h>

#include <memory>
#include <vector>

namespace lattice::proxy {
namespace {

using namespace std::chrono_literals;

constexpr size_t own = UnreadAnswers::own_bytes;
constexpr Instant start{1'000'000'000'000};

TEST_CASE("What a connection may always have does not count among all") {
  std::atomic<size_t> shared{0};
  UnreadAnswers unread(shared);
  unread.add(own / 2);
  unread.add(own / 2);
  CHECK(shared == 0);
  unread.add(100);
  CHECK(shared == 100);
  unread.take(60);
  CHECK(shared == 40);
  unread.remove(own / 2);
  CHECK(shared == 0);
  CHECK(unread.bytes() == own / 2 + 40);
}

TEST_CASE("Where all together leave too much, who leaves more than his own is refused") {
  std::atomic<size_t> shared{0};
  std::vector<std::unique_ptr<UnreadAnswers>> many;
  size_t admitted = 0;
  for (int connection = 0; connection < 500; ++connection) {
    many.push_back(std::make_unique<UnreadAnswers>(shared));
    UnreadAnswers& unread = *many.back();
    for (int i = 0; i < 20 && !unread.pile_up(start); ++i, ++admitted) unread.add(own / 2);
  }
  // One answer more than their own is everybody's, too.
  CHECK(shared <= UnreadAnswers::burst_bytes_max + 500 * own / 2);
  CHECK(admitted * own / 2 <= UnreadAnswers::burst_bytes_max + 501 * (own + own / 2));
  // Who reads what he asks for goes on.
  UnreadAnswers reader(shared);
  reader.add(own);
  reader.add(100);
  CHECK(reader.pile_up(start));
  reader.take(100);
  CHECK_FALSE(reader.pile_up(start));
  // Those that go away make room.
  many.clear();
  CHECK(shared == 0);
  reader.add(own);
  CHECK_FALSE(reader.pile_up(start));
}

TEST_CASE("What is read at once may be more than what may stay") {
  std::atomic<size_t> shared{0};
  UnreadAnswers unread(shared);
  constexpr size_t half = UnreadAnswers::connection_bytes_max / 2;
  const auto fill = [&] {
    for (int i = 0; i < 2; ++i) unread.add(half);
  };
  fill();
  CHECK_FALSE(unread.pile_up(start));
  CHECK_FALSE(unread.pile_up(start + 400ms));
  CHECK(unread.pile_up(start + 500ms));
  for (int i = 0; i < 2; ++i) unread.remove(half);
  CHECK_FALSE(unread.pile_up(start + 600ms));
  fill();
  CHECK_FALSE(unread.pile_up(start + 700ms));
  CHECK(unread.pile_up(start + 1200ms));
}

TEST_CASE("A burst of one connection leaves room for its writes") {
  std::atomic<size_t> shared{0};
  UnreadAnswers unread(shared);
  size_t lists = 0;
  for (; !unread.pile_up(start); ++lists) unread.add(own);
  CHECK(lists * own == UnreadAnswers::connection_bytes_max + own);
  unread.take(own);
  CHECK_FALSE(unread.pile_up(start));
}

TEST_CASE("One answer, however large, keeps nobody from anything") {
  std::atomic<size_t> shared{0};
  UnreadAnswers unread(shared);
  unread.add(2 * UnreadAnswers::burst_bytes_max);
  CHECK_FALSE(unread.pile_up(start));
  CHECK(unread.lone_bytes() == 2 * UnreadAnswers::burst_bytes_max);
  unread.add(1);
  CHECK(unread.pile_up(start));
  CHECK(unread.lone_bytes() == 0);
  unread.remove(2 * UnreadAnswers::burst_bytes_max);
  CHECK_FALSE(unread.pile_up(start));
}

}  // namespace
}  // namespace lattice::proxy
