// What the halves of the codec share. Thread: pure functions.
#pragma once

#include <algorithm>
#include <cstring>
#include <string>

#include "base/ids.h"
#include "base/status.h"
#include "proto/lattice/peer/v1/peer.pb.h"

namespace lattice::peer {

// A visitor of a variant made of one function for each kind.
template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

v1::Code code_of(Error error);
Error error_of(int code);

template <class Array>
void set_bytes(const Array& from, std::string* to) {
  to->assign(reinterpret_cast<const char*>(from.data()), from.size());
}

// False for another size than the array's.
template <class Array>
bool get_bytes(const std::string& from, Array* to) {
  if (from.size() != to->size()) return false;
  std::copy(from.begin(), from.end(), reinterpret_cast<char*>(to->data()));
  return true;
}

inline void write_position(const lattice::Position& from, v1::Position* to) {
  to->set_seq(from.seq.value);
  set_bytes(from.digest, to->mutable_digest());
}

inline bool read_position(const v1::Position& from, lattice::Position* to) {
  to->seq = Seq(from.seq());
  return get_bytes(from.digest(), &to->digest);
}

}  // namespace lattice::peer
