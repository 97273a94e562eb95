// Proves that the server counted revisions as etcd does: n writes move the revision by exactly n,
// and no two answers name the same one.
// Thread: the loader's only thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "load/client.h"

namespace lattice::load {

// The store's revision, asked with a linearizable read. False when the call fails.
bool read_revision(Client& client, std::string_view key, int64_t& revision);

class RevisionLedger {
 public:
  void start(int64_t revision) { start_ = revision; }
  // One write was sent, whatever became of it.
  void sent() { ++sent_; }
  // One write was answered.
  void answered(int64_t revision) {
    ++answered_;
    sum_ += static_cast<uint64_t>(revision - start_);
  }

  uint64_t writes_sent() const { return sent_; }
  // Empty when `end`, the revision after the last answer, is right; else what is wrong.
  std::string verdict(int64_t end) const;

 private:
  int64_t start_ = 0;
  uint64_t sent_ = 0;
  uint64_t answered_ = 0;
  uint64_t sum_ = 0;  // of the revisions after start_; distinct ones sum to n(n+1)/2
};

}  // namespace lattice::load
