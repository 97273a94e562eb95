#include "server/replica_options.h"

namespace lattice::server {

replica::Options replica_options(const config::Config& config) {
  replica::Options options;
  options.txn_ops_max = config.server.txn_ops_max;
  options.progress_interval = config.server.watch_progress_interval;
  options.auto_compaction_period = config.compaction.period;
  options.auto_compaction_revisions = config.compaction.revisions;
  switch (config.compaction.mode) {
    case config::CompactionMode::off:
      break;
    case config::CompactionMode::periodic:
      options.auto_compaction = replica::AutoCompaction::periodic;
      break;
    case config::CompactionMode::revision:
      options.auto_compaction = replica::AutoCompaction::revision;
      break;
  }
  return options;
}

}  // namespace lattice::server
