// Puts to groups of keys, in transactions of a hundred; each value tells how often its key was
// written before, and when it was sent.
//
// Thread: the program's only one. Ownership: borrows client and connection.
// Invariants: a key's writes reach the server one after the other, in the order of their numbers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "load/client.h"

namespace lattice::crowd {

inline constexpr uint64_t keys_per_txn = 100;

// The head of a value.
struct Stamp {
  uint64_t number = 0;  // of the write, among those of its key; from 0
  uint64_t sent_ns = 0;
};
bool read_stamp(std::string_view value, Stamp& stamp);

// "a/000012"
std::string key_name(char group, uint64_t number);
// What a key name says; false when it is none.
bool read_key(std::string_view key, char& group, uint64_t& number);

class Writer {
 public:
  Writer(load::Client& client, load::Connection& connection, uint64_t value_size);

  // Writes keys 0 to `keys` - 1 of the group, each in `rounds` numbers from `first` on, and waits
  // for the answers. False when the server was lost or refused; error() says why. Requires: `keys`
  // is a multiple of keys_per_txn.
  bool write(char group, uint64_t keys, uint64_t first, uint64_t rounds);
  // Compacts at the newest revision that a write was answered with.
  bool compact();

  int64_t revision() const { return revision_; }
  const std::string& error() const { return error_; }

 private:
  class Slot;
  friend class Slot;

  std::string transaction(char group, uint64_t first_key, uint64_t number) const;

  load::Client& client_;
  load::Connection& connection_;
  std::string filler_;
  int64_t revision_ = 0;
  size_t busy_ = 0;
  std::string error_;
};

}  // namespace lattice::crowd
