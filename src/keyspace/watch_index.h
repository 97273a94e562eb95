// Finds the watchers that a changed key concerns: exact keys by hash, intervals by an interval
// tree, so that the cost of an event is that of its matches and not of all watchers.
// Thread: one; the owner's. Pure.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "keyspace/requests.h"

namespace lattice::keyspace {

// Chosen by the caller, unique among the registered watchers.
using WatcherToken = uint64_t;

// Whether `key` lies in `range` (with etcd's meaning of end).
bool contains(const KeyRange& range, std::string_view key);

class WatchIndex {
 public:
  WatchIndex();
  ~WatchIndex();
  // Requires: the token is not registered.
  void add(WatcherToken token, const KeyRange& range);
  // Requires: registered with this range.
  void remove(WatcherToken token, const KeyRange& range);
  // Appends the tokens of all watchers that want `key`; order unspecified, none twice.
  void match(std::string_view key, std::vector<WatcherToken>* tokens) const;
  size_t size() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lattice::keyspace
