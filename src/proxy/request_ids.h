// Ids for requests whose clients sent none: unique among all nodes and restarts, made only for
// those that get a line in the log. Thread: its loop's.
#pragma once

#include <sys/random.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/big_endian.h"
#include "base/hex.h"

namespace lattice::proxy {

class RequestIds {
 public:
  RequestIds() {
    std::array<char, 8> random{};
    if (getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size())) {
      std::abort();
    }
    start_.assign(random.data(), random.size());
  }
  // 24 hexadecimal digits: those of this loop, then a count.
  std::string next() {
    std::string id = start_;
    append_big_endian(++count_, &id);
    return to_hex(id);
  }

 private:
  std::string start_;
  uint32_t count_ = 0;
};

}  // namespace lattice::proxy
