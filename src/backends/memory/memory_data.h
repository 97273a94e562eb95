// What a MemoryStore keeps: shared by the store and by everything that was opened from it.
// Thread: as MemoryStore says.
#pragma once

#include <map>

#include "absl/container/flat_hash_map.h"
#include "backends/memory/memory_store.h"

namespace lattice::backends {

struct MemoryStore::LogData {
  struct StoredBatch {
    replica::BatchHeader header;
    std::map<uint32_t, keyspace::Record> records;  // the surviving ones, by index
  };
  replica::LogId id{};
  bool exclusive = true;
  // Headers that are still there. Invariant: a batch with records has its header.
  std::map<uint64_t, StoredBatch> batches;
  int64_t bytes = 0;  // of keys, values and fixed parts of what is stored
};

struct MemoryStore::SessionData {
  std::map<replica::Incarnation, replica::SessionRow> rows;
  std::map<std::pair<replica::Incarnation, replica::LogId>, Position> announced;
};

std::unique_ptr<replica::Log> make_memory_log(std::shared_ptr<MemoryStore::LogData> data,
                                              replica::Environment& environment);
std::unique_ptr<replica::Sessions> make_memory_sessions(
    std::shared_ptr<MemoryStore::SessionData> data, replica::Environment& environment);

}  // namespace lattice::backends
