// One client's stream of watches at the replica that serves it: ids, order of requests, credit,
// progress.
// Thread: the replica's loop.
// Ownership: the caller's; may be destroyed at any time, also by its own sink and after the hub.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <variant>
#include <vector>

#include "replica/watch_hub.h"

namespace lattice::replica {

class HubStream : public WatchStream {
 public:
  HubStream(WatchHub& hub, uint64_t number, WatchSink& sink)
      : hub_(&hub), number_(number), sink_(sink) {}
  ~HubStream() override;

  void create(WatchCreate create) override;
  void cancel(WatchId id) override;
  void request_progress() override;
  void consumed(size_t bytes) override;

  // ---- For WatchHub ----
  uint64_t number() const { return number_; }
  WatchSink& sink() { return sink_; }
  // Whether it may be given events now. A stream that may not is fed again once it may.
  bool has_room();
  void charge(size_t bytes);
  void list_watches(std::vector<keyspace::WatcherToken>* tokens) const;
  // Handles requests that had to wait. The stream may be gone after.
  void run_requests();
  void close(const Status& status);
  // Users or tokens have changed: ends the stream if its API token does not count any more.
  void check_token();
  // The hub ends before the stream.
  void detach() { hub_ = nullptr; }

 private:
  struct Cancel {
    WatchId id;
  };
  struct Progress {};
  using Request = std::variant<WatchCreate, Cancel, Progress>;
  struct Asked {
    Request request;
    // What its answer must not fall short of: what was visible when it was asked, and when the
    // fence was raised for it.
    Revision shown;
    bool fenced = false;
  };

  void ask(Request request);
  bool may_run(const Asked& asked) const;
  bool fence_is_up() const;
  // The fence was raised for the first `count` requests.
  void raise(size_t count);
  void wait();
  // Each calls the sink at most twice, and touches nothing afterwards but through `alive`.
  void run(WatchCreate create);
  void run(Cancel cancel);
  void run(Progress progress);
  // The request at the front claims the present, and that is not to be had.
  void refuse(const Status& status);
  WatchId pick_id(WatchId asked);
  void start_ticks();
  bool within_share() const;
  void give_back(size_t bytes);
  void tick();
  // An API token may end, or be revoked, while watches run.
  void keep_token(const auth::CallerRef& caller);

  WatchHub* hub_;  // null once closed
  const uint64_t number_;
  WatchSink& sink_;
  Lifetime lifetime_;
  std::map<WatchId, keyspace::WatcherToken> watches_;
  std::deque<Asked> requests_;  // in order, while they have to wait
  bool waiting_ = false;        // to be loaded, or for the read fence
  size_t fencing_ = 0;          // requests at the front that the fence is being raised for
  int64_t next_id_ = 0;
  size_t outstanding_ = 0;  // bytes delivered and not consumed
  bool blocked_ = false;
  bool refused_ = false;  // had no room only because all streams together had none
  std::unique_ptr<Timer> tick_timer_;
  auth::CallerRef token_;  // null unless the watches are an API token's
  std::unique_ptr<Timer> token_timer_;
};

}  // namespace lattice::replica
