// Who leads. On an exclusive log this replica does, for good, once it has read the log and appended
// its takeover batch. On a shared log it follows whoever appended the newest takeover, watches that
// one's session, and takes over when the session has ended or stood still for a full TTL
// (log-protocol L1 to L5), or when the newest takeover names nobody: its leader has resigned, and
// its process lives on (docs/decisions/0017).
//
// Thread: the replica's loop.
// Invariants: leads() only after this replica's takeover batch is known to be committed, and until
//   it learns of another's, or that its session was declared dead. Safety of writes does not rest
//   on this: every append is fenced by its position.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/planted.h"
#include "replica/append_resolver.h"
#include "replica/lifetime.h"
#include "replica/log_reader.h"
#include "replica/peers.h"
#include "replica/session_keeper.h"
#include "replica/state.h"

namespace lattice::replica {

class Leadership : private SessionKeeper::Host {
 public:
  class Host {
   public:
    virtual ~Host() = default;
    // Everything read is applied; this replica leads.
    virtual void on_leading() = 0;
    // It leads no longer, or the state was thrown away to be read again.
    virtual void on_stepped_down(const Status& status) = 0;
    // After on_rejected(): the log was caught up with, and this replica still leads.
    virtual void on_caught_up() = 0;
    // More of the log is applied, or a fence is up again.
    virtual void on_progress() = 0;
    // Another process leads, and where it is reached is known: both may be new.
    virtual void on_leader_known() = 0;
    // The log was read further, whatever came of it.
    virtual void on_read() = 0;
    // The session was not valid for a while, and is again: nobody took over meanwhile.
    virtual void on_session_regained() = 0;
    virtual void on_failed(const Status& status) = 0;
    // The leader must hear of this: its log is not what it was.
    virtual void tell_leader(const WitnessCall& witness) = 0;
    // Nothing is staged, so that the log may be read into the state.
    virtual bool quiet() const = 0;
  };

  // `session`: the process's; may be null when the log is exclusive; outlives this.
  Leadership(State& state, LogReader& reader, AppendResolver& resolver, SessionKeeper* session,
             Host& host);
  ~Leadership() override;

  void start();
  // No answer is fenced from now on. Then the log is told that this replica leads no more, so that
  // others need not wait for the end of the session, on which other tenants hang. Answered when
  // that is durable or not needed; the error no_leader: it could not be done, before `give_up` or
  // at all, and nobody else can lead while the session lives.
  void stop(Instant give_up, StatusCallback done);
  // Stops leading, so that the member at `address` can, which `ask` is called to tell. Answered
  // when another process leads. Errors: not_leader; timeout_leader_transfer, after which this
  // replica may take over again.
  void hand_over(absl::AnyInvocable<void(const Position& tip)> ask, StatusCallback done);
  // A leader has stepped down behind `tip` and wants this replica to take over.
  void accept(const Position& tip);
  // Which member should lead when somebody else has to: where a leader ends that this replica has
  // followed, that one has a moment to take over first. Empty: none in particular.
  void prefer(std::string address) { preferred_ = std::move(address); }
  // Ends the log: nothing is fenced from now on, and no append follows. Answered when the seal is
  // durable. Errors: not_leader; nothing has happened then, or it may be tried again.
  void seal(const Seal& seal, StatusCallback done);
  // What was copied here has arrived (Options::arriving): somebody may lead.
  void open();
  bool held() const { return held_; }
  // Another replica has applied what it no longer finds in the log (H3).
  void on_witness(const WitnessCall& witness);

  // Somebody who knows says that the log is committed up to here.
  void on_announced(const Position& position);
  // Others may have appended: reads the log soon.
  void hint();
  // The leader may be gone: looks at the log and at its session, now.
  void look();

  bool leads() const { return role_ == Role::leading; }
  bool follows() const { return role_ == Role::following; }
  // Of the newest takeover that was read.
  const Incarnation& leader() const { return reader_.tip().incarnation; }
  // Of the process that leads, as far as is known: empty if nobody does.
  NodeInfo leader_node() const;
  // Nobody else can have taken over before this moment (L5).
  bool fenced() const;
  // Another process leads, and has renewed its session so lately that it was not dead then: this is
  // no gap in leadership, as far as can be known.
  bool other_leads() const;

  // An append of this replica was rejected: reads the log, then calls on_caught_up or
  // on_stepped_down. Requires: nothing staged.
  void catch_up();
  // The log has forgotten what this replica builds on: begins again.
  void reload(const Status& status);

 private:
  enum class Role : uint8_t { loading, following, taking_over, leading, failed, stopped };
  static constexpr Duration retry_interval = std::chrono::milliseconds(200);

  // ---- Reading ----
  void load();
  void on_loaded(const Status& status);
  void on_caught_up(const Status& status);
  // ---- Following: each step ends in follow_later() or the next step ----
  void follow_later(Duration delay);
  void pause();
  void follow();
  struct Known {  // when the log's head was asked for
    Position tip;
    Seq applied;
    uint64_t restarts = 0;
  };
  void on_head(const Known& known, const Result<LogHead>& head);
  void on_followed(const Status& status);
  void on_hinted(const Status& status);
  // Whether what was read can be gone on with; otherwise the next step was taken.
  bool settle_read(const Status& status);
  void tell_successor(absl::AnyInvocable<void(const Position& tip)> ask);
  bool is_invited() const;
  void succeed();
  bool holds_back();
  void examine_leader();
  void on_leader_row(const Incarnation& leader, Instant asked,
                     const Result<std::optional<SessionRow>>& row);
  void declare_dead(const SessionRow& row);
  // ---- A history that was lost (leadership_history.cc) ----
  void keep_witness();
  void check_witness();
  void on_witness_look(const Result<Log::LookReply>& reply);
  // A server that was left behind by a promotion shows too little: what it does not show is looked
  // for again, for as long as no jump has sealed the loss.
  void look_again(void (Leadership::*then)());
  // What was acknowledged is gone, and the log has not said so yet: nothing may be shown.
  bool history_lost() const {
    return lost_ && state_.history_base <= lost_->revision && !planted(Planted::jump_not_appended);
  }
  // Nothing in memory proves that history was kept when the database moved to another server.
  bool server_changed() const;
  void append_jump(Batch* batch) const;
  // What was read may be shown.
  bool presentable() const { return !doubtful_ && !witness_ && !history_lost(); }
  // ---- Taking over ----
  void take_over();
  void on_takeover(const Batch& batch, AppendResolver::Verdict verdict, const Status& detail);
  void become_leader(const Batch& batch);
  // ---- The end of the log (leadership_seal.cc) ----
  void append_seal();
  void on_seal(const Batch& batch, AppendResolver::Verdict verdict, const Status& detail);
  void end_seal(const Status& status);
  // ---- Leading no more ----
  bool named_leader() const;
  void resign();
  void end_stop(const Status& status);

  void step_down(const Status& status);
  void fail(const Status& status);
  void set_other_alive(bool alive);
  // All changes of role_ and catching_up_.
  void enter(Role role, bool catching_up = false);
  // Somebody leads before this moment, as far as is known now.
  Instant led_until() const;
  void publish();
  void later(Duration delay, void (Leadership::*step)());
  bool active() const { return role_ != Role::failed && role_ != Role::stopped; }

  Announcement announcement() const override {
    return {state_.log.id(), leads() ? state_.applied : Position{}};
  }
  void on_session_extended(bool lapsed) override;
  void on_session_dead() override;

  State& state_;
  LogReader& reader_;
  AppendResolver& resolver_;
  Host& host_;
  Lifetime lifetime_;
  SessionKeeper* const session_;  // null on an exclusive log
  Role role_ = Role::loading;
  BatchHeader takeover_;  // this replica's own, by which it leads
  bool catching_up_ = false;
  Seq load_began_;          // the newest batch before the log was read
  bool doubtful_ = false;   // records may have been deleted while it was
  Digest gone_{};           // the end of the log of a leader that was gone before it was read
  int contradictions_ = 0;  // how many readings in a row found one
  bool other_alive_ = false;
  // The leader's session as it was first seen with this renewal count (L3).
  SessionRow seen_;
  std::optional<Instant> seen_since_;
  Instant unchanged_at_;                  // the last look that showed seen_ was later than this
  std::optional<Instant> renewed_after_;  // the newest renewal that was noticed is younger
  // The newest position that this replica had applied before it read the log anew, until it was
  // seen to be in the chain; and once it was seen not to be.
  std::optional<WitnessCall> witness_;
  std::optional<WitnessCall> lost_;
  std::optional<uint64_t> lost_at_;  // the connection that showed the loss last
  bool hinted_ = false;              // while the log was read
  // Until then another is to take over, not this replica (hand_over).
  Instant defers_until_;
  StatusCallback handed_over_;
  std::optional<Position> invited_;  // to take over, behind this position
  Instant invited_until_;
  std::string preferred_;  // the address of who should lead, if that is another member
  Digest held_back_behind_{};
  Instant holds_back_until_;
  std::unique_ptr<Timer> hand_over_timer_;
  Seal sealing_;
  StatusCallback sealed_;  // not null while the log is being sealed
  std::unique_ptr<Timer> seal_timer_;
  bool held_;  // nobody may lead yet
  std::unique_ptr<Timer> timer_;
  StatusCallback stopped_;
  Instant stop_give_up_;
  std::unique_ptr<Timer> stop_timer_;
};

}  // namespace lattice::replica
