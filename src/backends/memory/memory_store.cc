#include "backends/memory/memory_store.h"

#include <cstring>

#include "backends/memory/memory_data.h"

namespace lattice::backends {

MemoryStore::MemoryStore(replica::Environment& environment, MemoryStoreOptions options)
    : environment_(environment), options_(options), sessions_(std::make_shared<SessionData>()) {
  while (cluster_id_ == 0) {
    uint8_t bytes[sizeof(cluster_id_)];
    environment_.random_bytes(bytes);
    std::memcpy(&cluster_id_, bytes, sizeof(bytes));
  }
}

MemoryStore::~MemoryStore() = default;

std::unique_ptr<replica::Log> MemoryStore::open_log(std::string_view tenant,
                                                    replica::Environment& environment) {
  auto found = logs_.find(tenant);
  if (found == logs_.end()) {
    auto data = std::make_shared<LogData>();
    environment_.random_bytes(data->id);
    data->exclusive = options_.exclusive;
    found = logs_.emplace(tenant, std::move(data)).first;
  }
  return make_memory_log(found->second, environment);
}

std::unique_ptr<replica::Sessions> MemoryStore::open_sessions(replica::Environment& environment) {
  return make_memory_sessions(sessions_, environment);
}

std::vector<std::string> MemoryStore::tenants() const {
  std::vector<std::string> names;
  names.reserve(logs_.size());
  for (const auto& [name, data] : logs_) names.push_back(name);
  return names;
}

}  // namespace lattice::backends
