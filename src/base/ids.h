// Typed integers: a Revision, a LeaseId and a batch's Seq are all 64-bit numbers, and mixing them
// up compiles in C but not here.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>

namespace lattice {

template <class Tag, class Rep = int64_t>
struct TypedInt {
  Rep value = 0;

  constexpr TypedInt() = default;
  constexpr explicit TypedInt(Rep v) : value(v) {}

  constexpr auto operator<=>(const TypedInt&) const = default;
  constexpr TypedInt operator+(Rep n) const { return TypedInt(value + n); }
  constexpr TypedInt operator-(Rep n) const { return TypedInt(value - n); }
  constexpr Rep operator-(TypedInt other) const { return value - other.value; }
  constexpr TypedInt& operator++() {
    ++value;
    return *this;
  }

  template <class H>
  friend H AbslHashValue(H h, TypedInt id) {
    return H::combine(std::move(h), id.value);
  }
};

// The etcd revision: +1 for each mutating transaction. An empty store is at revision 1.
using Revision = TypedInt<struct RevisionTag>;
// A lease as clients name it; 0 is "no lease". Clients may choose negative ids.
using LeaseId = TypedInt<struct LeaseIdTag>;
// A watch within one watch stream; -1 addresses the stream itself.
using WatchId = TypedInt<struct WatchIdTag>;
// A batch within its log: contiguous from 1; 0 is the empty log.
using Seq = TypedInt<struct SeqTag, uint64_t>;
// +1 with each takeover of a tenant's log; alone it identifies nothing (log-protocol L4).
using Epoch = TypedInt<struct EpochTag, uint64_t>;

// SHA-256.
using Digest = std::array<uint8_t, 32>;

// A place in a log: two histories that differ anywhere never share a position (log-protocol P1).
struct Position {
  Seq seq;
  Digest digest{};
  bool operator==(const Position&) const = default;
};

}  // namespace lattice
