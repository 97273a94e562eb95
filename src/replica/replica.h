// One tenant in this process: the log materialised in memory, and everything that etcd's services
// ask of it (DESIGN section 1). This class wires the parts together and decides which call goes
// where:
//
//   WriteQueue      proposals -> batches -> AppendResolver -> Log
//   PointReads      reads of single keys, one turn's together
//   ReadQueue       reads that wait for the log to be loaded or for the read fence
//   ReadIndex       the fence where another replica leads: it is asked for its position
//   Forwarder       what needs the leader, where another replica leads
//   Announcer       the fan-out of committed batches
//   Leadership      LogReader at the start and behind another leader; takeover; the session
//   LeaseKeeper     deadlines, renewals, expiry
//   WatchHub        watches, fed by committed batches
//   Compactor       compaction in memory and in the log
//   AutoCompactor   when to do so
//
// Thread: one loop; every call and every callback there. A read that memory can answer calls back
//   inside the call, or at the end of the loop's turn. The replica must not be destroyed inside one
//   of its callbacks.
// Ownership: owns its log. The environment, links and observer outlive it; so do the sinks of its
//   streams. Destroying it answers nobody; stop() does.
// Errors: those of Api.
#pragma once

#include <memory>
#include <optional>

#include "base/keyring.h"
#include "replica/announcer.h"
#include "replica/api.h"
#include "replica/append_resolver.h"
#include "replica/auto_compactor.h"
#include "replica/compactor.h"
#include "replica/fanout.h"
#include "replica/forwarder.h"
#include "replica/leadership.h"
#include "replica/lease_keeper.h"
#include "replica/lifetime.h"
#include "replica/log_reader.h"
#include "replica/options.h"
#include "replica/peers.h"
#include "replica/point_reads.h"
#include "replica/read_index.h"
#include "replica/read_queue.h"
#include "replica/state.h"
#include "replica/watch_hub.h"
#include "replica/write_queue.h"

namespace lattice::replica {

// What connects a replica with those of other processes; all outlive it. All null for an exclusive
// log; another one needs the process's session at least.
struct Links {
  SessionKeeper* session = nullptr;
  Peers* peers = nullptr;
  Fanout* fanout = nullptr;
  const Keyring* keyring = nullptr;  // for the fan-out
};

class Replica final : public Api,
                      public PeerService,
                      private WriteQueue::Host,
                      private ReadQueue::Host,
                      private LeaderHost,
                      private Announcer::Host,
                      private Leadership::Host {
 public:
  // `observer` may be null.
  Replica(Options options, Environment& environment, std::unique_ptr<Log> log, const Links& links,
          Observer* observer);
  ~Replica() override;

  // Reads the log, then leads or follows. Calls may be made before; they wait.
  void start();
  // Ends all watches with `stopped`, lets a batch in flight finish (for a second at most) and hands
  // the leadership over (in another at most). Only destruction may follow. Calls that wait, and so
  // have had no effect anywhere, are answered with `untouched`, which nothing else is; what may
  // have landed, with `stopped`. The error no_leader: nobody else can lead while the process's
  // session lives, which still names this replica.
  void stop(StatusCallback done, Error untouched = Error::stopped);

  // Ends the log, for its tenant moves to another database: what waits to be written is written,
  // for a moment, then nothing is any more. Answered when the seal is durable. Errors: not_leader.
  void seal(const Seal& seal, StatusCallback done);
  // See Options::arriving.
  void open() { leadership_.open(); }

  // The log was read once; serializable reads are answered.
  bool loaded() const { return loaded_ && !failed_; }
  bool leads() const { return leadership_.leads(); }
  bool can_linearize() const override;
  // Linearizable reads are answered, by this replica's fence or its leader's.
  bool serves_linearizable() const;
  // The log is not what it was: nothing is answered any more.
  bool failed() const { return failed_; }
  // Who leads, as far as this replica knows; empty: nobody.
  NodeInfo leader_node() const { return leadership_.leader_node(); }
  // Take effect with the next batch. Requires: not null.
  void set_limits(SharedLimits limits) { state_.limits = std::move(limits); }
  // How many batches of the log it knows of and does not show yet.
  uint64_t lag() const { return reader_.newest_known().value - state_.applied.seq.value; }
  // Of the tenant's quota, as Capacity counts it.
  int64_t quota_bytes_used() const { return replica::quota_bytes_used(state_); }
  // Tells the observer what was evaluated since the last batch: reads.
  void report_operations() { state_.report_operations(); }
  // Of the keyspace, approximately.
  size_t memory_bytes() const { return state_.keyspace.memory_bytes(); }
  // Revisions that the watch which is furthest behind has not been given.
  int64_t watch_lag() const { return hub_.lag(); }
  OperationTimes times() const override { return state_.times; }
  // For other loops (RemoteApi). Valid for as long as it is held.
  std::shared_ptr<const Published> published() const { return state_.published; }

  Revision applied_revision() const override { return state_.keyspace.visible_revision(); }
  uint64_t epoch() const override { return state_.epoch.value; }
  bool has_leader() const override { return state_.published->led_at(state_.environment.now()); }
  void range(keyspace::RangeRequest request, Callback<keyspace::RangeResult> done,
             auth::CallerRef caller = {}) override;
  void put(keyspace::PutRequest request, Callback<keyspace::PutResult> done,
           auth::CallerRef caller = {}) override;
  void delete_range(keyspace::DeleteRangeRequest request,
                    Callback<keyspace::DeleteRangeResult> done,
                    auth::CallerRef caller = {}) override;
  void txn(keyspace::TxnRequest request, Callback<keyspace::TxnResult> done,
           auth::CallerRef caller = {}) override;
  void compact(Revision revision, bool physical, Callback<Revision> done,
               auth::CallerRef caller = {}) override;
  void lease_grant(LeaseId id, int64_t ttl_seconds, Callback<LeaseGrantResult> done,
                   auth::CallerRef caller = {}) override;
  void lease_revoke(LeaseId id, Callback<Revision> done, auth::CallerRef caller = {}) override;
  void lease_keep_alive(LeaseId id, Callback<LeaseKeepAliveResult> done,
                        auth::CallerRef caller = {}) override;
  void lease_time_to_live(LeaseId id, bool keys, Callback<LeaseTimeToLiveResult> done,
                          auth::CallerRef caller = {}) override;
  void lease_leases(Callback<LeaseLeasesResult> done, auth::CallerRef caller = {}) override;
  void auth_change(auth::Change change, Callback<Revision> done,
                   auth::CallerRef caller = {}) override;
  void auth_query(auth::Query query, Callback<auth::Answer> done,
                  auth::CallerRef caller = {}) override;
  void status(Callback<StatusResult> done) override;
  void alarm(AlarmChange change, Callback<AlarmResult> done, auth::CallerRef caller = {}) override;
  void members(Callback<std::vector<Member>> done) override;
  void move_leader(std::string address, StatusCallback done) override;
  // See Leadership.
  void prefer_leader(std::string address);
  void hash_kv(Revision revision, Callback<keyspace::HashResult> done) override;
  void serve(PeerRequest request, absl::AnyInvocable<void(PeerReply)> done) override;
  void defragment(StatusCallback done) override;
  [[nodiscard]] std::unique_ptr<WatchStream> open_watch_stream(WatchSink& sink) override;

 private:
  // ---- WriteQueue::Host ----
  bool may_append() const override { return leads() && !failed_; }
  Patience patience() const override;  // also of LeaderHost
  bool wants_quiet() const override {
    return compactor_.sweeping() || reads_.waits_for(ReadQueue::Needs::settled);
  }
  bool distributing() const override { return hub_.distributing(); }
  void before_batch() override { compactor_.before_batch(); }
  void on_committed(const Batch& batch) override;
  void on_rejected() override { leadership_.catch_up(); }
  void on_lost(const Status& status) override { leadership_.reload(status); }
  void on_settled() override;
  // ---- ReadQueue::Host ----
  bool meets(ReadQueue::Needs needs) const override;
  Patience read_patience() const override;
  ReadIndex::Round join_round() override;
  bool round_reached(ReadIndex::Round round) const override;
  // ---- LeaderHost, Announcer::Host ----
  std::string leader_address() const override { return leadership_.leader_node().address; }
  void on_announced(const Position& position) override;
  void on_leader_doubtful() override { leadership_.look(); }
  bool listens() const override {
    return !failed_ && !stopping_ && leadership_.follows() && !leadership_.held();
  }
  void on_hint() override { leadership_.hint(); }
  void on_leaving() override { leadership_.look(); }
  // ---- Leadership::Host ----
  void on_leading() override;
  void on_stepped_down(const Status& status) override;
  void on_caught_up() override;
  void on_progress() override;
  void on_leader_known() override;
  void on_read() override { announcer_.on_read(); }
  void tell_leader(const WitnessCall& witness) override;
  void on_session_regained() override { lease_keeper_.on_regained(); }
  void on_failed(const Status& status) override;
  bool quiet() const override { return writes_.quiet(); }

  // Where calls that need the leader go; null where they are this replica's.
  Forwarder* away() const { return leads() ? nullptr : forwarder_.get(); }
  // Answers a call that needs the leader, at the leader.
  struct PeerRun;
  void run_here(PeerCall call, Sender sender, Callback<PeerAnswer> done);
  // A call without effect is sent after a leadership that has moved on.
  template <class Answer>
  Callback<Answer> follow_leader(PeerCall call, auth::CallerRef caller, Callback<Answer> done);
  // What waited for this replica's leadership goes to the next leader.
  void reroute();
  void forward(Proposal proposal);

  // The log was read once and may be shown. Answers false when it turns out to be broken, and while
  // it lacks what was shown before.
  bool finish_load();
  void apply_effects();
  void finish_stop(StatusCallback done, Error untouched, Instant give_up);
  void drain_to_seal(const Seal& seal, StatusCallback done, Instant give_up);

  const Options options_;
  const Links links_;
  Observer silent_;  // stands in for no observer
  std::unique_ptr<Log> log_;
  State state_;
  AppendResolver resolver_;
  WriteQueue writes_;
  ReadQueue reads_;
  std::unique_ptr<ReadIndex> read_index_;  // null without peers
  std::unique_ptr<Forwarder> forwarder_;   // likewise
  PointReads point_reads_;
  LogReader reader_;
  Announcer announcer_;
  WatchHub hub_;
  LeaseKeeper lease_keeper_;
  Compactor compactor_;
  AutoCompactor auto_compactor_;
  Leadership leadership_;
  Lifetime lifetime_;
  bool loaded_ = false;
  bool failed_ = false;
  bool stopping_ = false;
  Revision shown_;                      // the newest that was readable here
  Revision told_compacted_{-1};         // the compact revision that watches know of
  Revision told_base_{0};               // likewise State::history_base
  std::optional<uint64_t> told_users_;  // likewise State::auth
  std::unique_ptr<Timer> stop_timer_;
  std::unique_ptr<Timer> drain_timer_;
};

}  // namespace lattice::replica
