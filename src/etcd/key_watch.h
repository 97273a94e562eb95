// One watch of the server's own, for the calls that wait for something to happen to a key (Lock,
// Campaign, Observe).
// Thread: one loop. Ownership: its call's; retire() lets go of it from inside its own callbacks.
#pragma once

#include <memory>

#include "absl/functional/any_invocable.h"
#include "etcd/services.h"
#include "replica/watch.h"

namespace lattice::etcd {

class KeyWatch final : public replica::WatchSink {
 public:
  // Whole revisions, in order.
  using OnEvents =
      absl::AnyInvocable<void(Revision header, const std::vector<replica::WatchEvent>&)>;
  // The watch can go on no longer: overtaken by compaction, or the replica's status.
  using OnLost = absl::AnyInvocable<void(Status)>;

  KeyWatch(OnEvents on_events, OnLost on_lost)
      : on_events_(std::move(on_events)), on_lost_(std::move(on_lost)) {}
  // Callbacks may come from inside, so the owner must hold the watch already.
  void start(replica::Api& api, replica::WatchCreate create);
  // Silences the watch now and destroys it once the turn has ended. Null is fine.
  static void retire(replica::Environment& environment, std::unique_ptr<KeyWatch> watch);

  // ---- WatchSink ----
  void on_created(WatchId id, Revision header, replica::WatchRefusal refusal) override;
  void on_events(WatchId id, Revision header, bool fragment, replica::WatchEvents events) override;
  void on_progress(WatchId, Revision) override {}
  void on_compacted(WatchId id, Revision compact_revision) override;
  void on_canceled(WatchId, Revision) override {}
  void on_closed(Status status) override;

 private:
  void lose(Status status);

  OnEvents on_events_;
  OnLost on_lost_;
  bool retired_ = false;
  std::unique_ptr<replica::WatchStream> stream_;
};

// The end of the interval of all keys with this prefix, as etcd's clients compute it.
std::string prefix_end(std::string prefix);

}  // namespace lattice::etcd
