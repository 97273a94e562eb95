// A client that watches: follows one range, resumes elsewhere where its stream ended, asks for
// progress, and reads slowly now and then. Thread: one.
#pragma once

#include <memory>
#include <vector>

#include "sim/cluster.h"

namespace lattice::sim {

class WatchClient : private replica::WatchSink {
 public:
  WatchClient(SimWorld& world, std::vector<std::unique_ptr<Node>>& nodes, History& history,
              Probes& probes);

  void start() { connect_later(); }
  // The world is about to end: writes down what is still open, and the last delivered revision.
  void finish();
  // Reads everything from now on.
  void hurry() { lazy_ = false; }
  int64_t resume() const { return next_; }

 private:
  void connect_later();
  void connect();
  void look_after(uint64_t number);
  void lose();
  WatchRun::Entry& note(WatchRun::Entry::Kind kind, int64_t header);
  void consume_later(size_t bytes);

  void on_created(WatchId id, Revision header, replica::WatchRefusal refusal) override;
  void on_events(WatchId id, Revision header, bool fragment, replica::WatchEvents events) override;
  void on_progress(WatchId id, Revision header) override;
  void on_compacted(WatchId id, Revision compact_revision) override;
  void on_canceled(WatchId, Revision) override {}
  void on_closed(Status status) override;

  SimWorld& world_;
  std::vector<std::unique_ptr<Node>>& nodes_;
  History& history_;
  Probes& probes_;
  keyspace::KeyRange range_;
  bool prev_kv_ = false;
  int filter_ = 0;
  bool lazy_ = false;
  Node* node_ = nullptr;
  uint64_t node_life_ = 0;
  uint64_t connection_ = 0;
  bool open_ = false;
  std::unique_ptr<replica::WatchStream> stream_;
  WatchRun* run_ = nullptr;
  size_t outstanding_ = 0;  // bytes delivered and not consumed
  int64_t next_ = 0;        // where to resume; 0: from now on
};

}  // namespace lattice::sim
