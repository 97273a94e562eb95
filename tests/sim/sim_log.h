// A process's connection to the simulated database: slow, and breaking in every way that a real one
// can. Thread: one. Ownership: the database and the process outlive it; the faults too.
#pragma once

#include <functional>
#include <memory>

#include "replica/lifetime.h"
#include "replica/log.h"
#include "replica/sessions.h"
#include "sim/probes.h"
#include "sim/sim_database.h"

namespace lattice::sim {

// How often what goes wrong, in percent; changed while the simulation runs.
struct Faults {
  int append_lost_before = 1;  // the connection dies, nothing was executed
  int append_lost_after = 1;   // it was executed, and the reply is lost
  int append_zombie = 1;       // the reply is lost, and it is executed later
  int append_error = 1;        // a clean error
  int call_error = 1;          // anything but an append fails
  int slow = 2;                // a call takes long
  bool unreachable = false;    // this process cannot reach the database
};

class SimLog : public replica::Log {
 public:
  SimLog(SimDatabase& database, SimProcess& process, const Faults& faults, Probes& probes,
         bool exclusive)
      : database_(database),
        process_(process),
        faults_(faults),
        probes_(probes),
        exclusive_(exclusive) {}

  const replica::LogId& id() const override { return database_.id(); }
  bool exclusive() const override { return exclusive_; }
  // While it is cut off, its circuit breaker opens and closes.
  bool reachable() const override {
    constexpr int64_t second = 1'000'000'000;
    return !faults_.unreachable || process_.world().now() / second % 2 == 0;
  }
  uint64_t connection() const override { return connection_; }
  replica::LogServer server() const override { return {1, connection_}; }
  bool survives_failover() const override { return !database_.asynchronous; }
  void load(Seq after, OnBatch on_batch, StatusCallback done) override;
  void append(std::shared_ptr<const replica::Batch> batch,
              absl::AnyInvocable<void(replica::AppendReply)> done) override;
  void look(Seq seq, Callback<LookReply> done) override;
  void head(Callback<replica::LogHead> done) override;
  void barrier(StatusCallback done) override;
  void remove(std::vector<keyspace::RecordId> records, StatusCallback done) override;
  void trim(Seq below, StatusCallback done) override;
  void size(Callback<replica::LogSize> done) override;
  void defragment(StatusCallback done) override;

 private:
  using Append = absl::AnyInvocable<void(replica::AppendReply)>;
  int64_t latency();
  bool chance(int percent) { return process_.world().rng().chance(percent); }
  // Runs `at_server` there and sends what it answers back, or an error.
  template <class T>
  void call(absl::AnyInvocable<T()> at_server, Callback<T> done);
  void answer(std::shared_ptr<Append> done, replica::AppendReply reply);
  void append_at_server(std::shared_ptr<const replica::Batch> batch, std::shared_ptr<Append> done);
  void commit(std::shared_ptr<const replica::Batch> batch, std::shared_ptr<Append> done,
              bool reply_lost);
  void await_flush(uint64_t server, std::shared_ptr<Append> done, bool reply_lost);
  void append_later(std::shared_ptr<const replica::Batch> batch);
  void append_stalled(const std::shared_ptr<const replica::Batch>& batch);
  struct Loading;
  void load_chunk(std::shared_ptr<Loading> loading);

  SimDatabase& database_;
  SimProcess& process_;
  const Faults& faults_;
  Probes& probes_;
  const bool exclusive_;
  uint64_t connection_ = 0;  // the server that sent the newest reply
  replica::Lifetime lifetime_;
};

class SimSessions : public replica::Sessions {
 public:
  SimSessions(SimDatabase& database, SimProcess& process, const Faults& faults, Probes& probes)
      : database_(database), process_(process), faults_(faults), probes_(probes) {}

  void open(const replica::Incarnation& incarnation, const replica::NodeInfo& node,
            StatusCallback done) override;
  void renew(const replica::Incarnation& incarnation, std::vector<replica::Announcement> news,
             StatusCallback done) override;
  void list(Callback<std::vector<replica::SessionRow>> done) override;
  void read(const replica::Incarnation& incarnation, const replica::LogId& log,
            Callback<std::optional<replica::SessionRow>> done) override;
  void declare_dead(const replica::Incarnation& incarnation, int64_t renewals,
                    Callback<bool> done) override;
  void release(const replica::Incarnation& incarnation, StatusCallback done) override;

 private:
  template <class T>
  void call(absl::AnyInvocable<Result<T>()> at_server, Callback<T> done);
  void call(absl::AnyInvocable<Status()> at_server, StatusCallback done);

  SimDatabase& database_;
  SimProcess& process_;
  const Faults& faults_;
  Probes& probes_;
};

}  // namespace lattice::sim
