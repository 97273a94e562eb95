// Logs and sessions in this process's memory, for tests, the simulator and `memory://`. Nothing
// survives the process; everything else behaves as the real ones do, callbacks included.
//
// Thread: the store and its sessions belong to one loop. Logs of different tenants may live on
//   different loops; two logs of one tenant (two replicas in a test) share their data and one loop.
// Ownership: logs and sessions keep the data that they use; they may outlive the store. The
//   environment given to them must outlive them.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "replica/environment.h"
#include "replica/log.h"
#include "replica/sessions.h"

namespace lattice::backends {

struct MemoryStoreOptions {
  // What the logs answer to exclusive(): false lets several replicas share a log.
  bool exclusive = true;
};

class MemoryStore {
 public:
  explicit MemoryStore(replica::Environment& environment, MemoryStoreOptions options = {});
  ~MemoryStore();

  // Random at creation, never 0.
  uint64_t cluster_id() const { return cluster_id_; }
  // Opens the tenant's log, creating it the first time.
  std::unique_ptr<replica::Log> open_log(std::string_view tenant,
                                         replica::Environment& environment);
  std::unique_ptr<replica::Sessions> open_sessions(replica::Environment& environment);
  std::vector<std::string> tenants() const;

  struct LogData;
  struct SessionData;

 private:
  replica::Environment& environment_;
  MemoryStoreOptions options_;
  uint64_t cluster_id_ = 0;
  std::map<std::string, std::shared_ptr<LogData>, std::less<>> logs_;
  std::shared_ptr<SessionData> sessions_;
};

}  // namespace lattice::backends
