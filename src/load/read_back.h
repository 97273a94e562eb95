// Some of the writes of a run, remembered and read back at its end: what was answered must be
// there. Thread: the loader's only thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "load/client.h"
#include "load/key_space.h"

namespace lattice::load {

class ReadBack {
 public:
  explicit ReadBack(const KeySpace& keys) : keys_(keys) {}

  // Keeps the latest; older samples make room.
  void remember(uint64_t key, uint64_t nonce, int64_t revision);
  // Reads them with linearizable reads. Empty when all are right.
  std::string verify(Client& client) const;

 private:
  struct Sample {
    uint64_t key = 0;
    uint64_t nonce = 0;
    int64_t revision = 0;
  };

  std::string check(const Sample& sample, std::string_view answer) const;

  const KeySpace& keys_;
  std::vector<Sample> samples_;
  size_t next_ = 0;
};

}  // namespace lattice::load
