// The keys and values of a run: both follow from a number, so that any answer can be checked
// without remembering what was put.
//
//     key    prefix + the key's number, ten digits
//     value  number, nonce, time stamp (8 bytes each), then filler that follows from the number
//
// Thread: immutable after construction.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lattice::load {

// What the head of a value says.
struct ValueHead {
  uint64_t number = 0;
  uint64_t nonce = 0;
  uint64_t sent_ns = 0;
};

// Values shorter than their head cannot be checked.
inline constexpr size_t value_size_min = sizeof(ValueHead);

inline constexpr size_t key_number_digits = 10;  // of a key, behind its prefix

// Reads the head; false when the value is too short.
bool read_value_head(std::string_view value, ValueHead& head);

class KeySpace {
 public:
  KeySpace(std::string prefix, size_t value_size);

  void append_key(std::string& out, uint64_t number) const;
  std::string key(uint64_t number) const;
  void append_value(std::string& out, const ValueHead& head) const;

  // The range of all keys: [prefix, range_end).
  const std::string& prefix() const { return prefix_; }
  const std::string& range_end() const { return range_end_; }
  size_t value_size() const { return value_size_; }

  // True when `value` is one that was made for `number`, with any nonce, and `key` is its key.
  bool matches(std::string_view key, std::string_view value, uint64_t number) const;

 private:
  std::string_view filler(uint64_t number) const;

  std::string prefix_;
  std::string range_end_;
  size_t value_size_;
  std::string noise_;  // incompressible; each number's filler is a window of it
};

}  // namespace lattice::load
