#include "load/key_space.h"

#include <array>
#include <cstring>
#include <random>

namespace lattice::load {
namespace {

constexpr size_t noise_windows = 4096;

}  // namespace

bool read_value_head(std::string_view value, ValueHead& head) {
  if (value.size() < sizeof(head)) return false;
  std::memcpy(&head, value.data(), sizeof(head));
  return true;
}

KeySpace::KeySpace(std::string prefix, size_t value_size)
    : prefix_(std::move(prefix)), range_end_(prefix_), value_size_(value_size) {
  // Prefixes end in a printable character, so the successor needs no carry.
  range_end_.back() = static_cast<char>(range_end_.back() + 1);
  std::mt19937_64 random(20);  // NOLINT(cert-msc51-cpp): equal noise in every run is wanted
  noise_.resize(value_size_ + noise_windows);
  for (char& c : noise_) c = static_cast<char>(random());
}

void KeySpace::append_key(std::string& out, uint64_t number) const {
  std::array<char, key_number_digits> digits{};
  for (size_t i = key_number_digits; i-- > 0; number /= 10) {
    digits[i] = static_cast<char>('0' + number % 10);
  }
  out.append(prefix_).append(digits.data(), digits.size());
}

std::string KeySpace::key(uint64_t number) const {
  std::string out;
  append_key(out, number);
  return out;
}

std::string_view KeySpace::filler(uint64_t number) const {
  return std::string_view(noise_).substr(number * 61 % noise_windows,
                                         value_size_ - sizeof(ValueHead));
}

void KeySpace::append_value(std::string& out, const ValueHead& head) const {
  std::array<char, sizeof(head)> bytes{};
  std::memcpy(bytes.data(), &head, sizeof(head));
  out.append(bytes.data(), bytes.size()).append(filler(head.number));
}

bool KeySpace::matches(std::string_view key, std::string_view value, uint64_t number) const {
  ValueHead head;
  return value.size() == value_size_ && read_value_head(value, head) && head.number == number &&
         value.substr(sizeof(head)) == filler(number) && key == this->key(number);
}

}  // namespace lattice::load
