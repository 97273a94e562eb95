#include "base/crc32c.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#endif

namespace lattice {
namespace {

// The polynomial 0x1EDC6F41 with its bits reversed.
constexpr uint32_t polynomial = 0x82F63B78;

constexpr std::array<uint32_t, 256> make_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? polynomial : 0);
    table[byte] = crc;
  }
  return table;
}
constexpr std::array<uint32_t, 256> table = make_table();

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) uint32_t extend_by_sse42(uint32_t crc, std::string_view data) {
  const char* at = data.data();
  size_t left = data.size();
  uint64_t state = crc ^ 0xFFFFFFFFu;
  for (; left >= 8; at += 8, left -= 8) {
    uint64_t word;
    std::memcpy(&word, at, 8);
    state = _mm_crc32_u64(state, word);
  }
  auto narrow = static_cast<uint32_t>(state);
  for (; left > 0; ++at, --left) narrow = _mm_crc32_u8(narrow, static_cast<uint8_t>(*at));
  return narrow ^ 0xFFFFFFFFu;
}
#elif defined(__ARM_FEATURE_CRC32)
uint32_t extend_by_arm(uint32_t crc, std::string_view data) {
  const char* at = data.data();
  size_t left = data.size();
  uint32_t state = crc ^ 0xFFFFFFFFu;
  for (; left >= 8; at += 8, left -= 8) {
    uint64_t word;
    std::memcpy(&word, at, 8);
    state = __crc32cd(state, word);
  }
  for (; left > 0; ++at, --left) state = __crc32cb(state, static_cast<uint8_t>(*at));
  return state ^ 0xFFFFFFFFu;
}
#endif

}  // namespace

uint32_t crc32c_extend_by_table(uint32_t crc, std::string_view data) {
  uint32_t state = crc ^ 0xFFFFFFFFu;
  for (char c : data) state = (state >> 8) ^ table[(state ^ static_cast<uint8_t>(c)) & 0xFF];
  return state ^ 0xFFFFFFFFu;
}

uint32_t crc32c_extend(uint32_t crc, std::string_view data) {
#if defined(__x86_64__)
  static const bool has_sse42 = __builtin_cpu_supports("sse4.2") != 0;
  if (has_sse42) return extend_by_sse42(crc, data);
  return crc32c_extend_by_table(crc, data);
#elif defined(__ARM_FEATURE_CRC32)
  return extend_by_arm(crc, data);
#else
  return crc32c_extend_by_table(crc, data);
#endif
}

}  // namespace lattice
