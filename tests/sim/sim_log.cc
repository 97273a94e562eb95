#include "sim/sim_log.h"

#include <chrono>
#include <utility>

#include "base/planted.h"

namespace lattice::sim {
namespace {

using replica::AppendOutcome;
using replica::AppendReply;

constexpr int64_t microsecond = 1'000;
constexpr int64_t millisecond = 1'000'000;

const Status connection_lost{Error::backend_unavailable, "connection lost"};

AppendReply unknown() { return {AppendOutcome::unknown, connection_lost, false}; }

int64_t call_latency(SimProcess& process, const Faults& faults) {
  Rng& rng = process.world().rng();
  if (rng.chance(faults.slow)) return rng.between(5 * millisecond, 400 * millisecond);
  return rng.between(100 * microsecond, 600 * microsecond);
}

}  // namespace

int64_t SimLog::latency() { return call_latency(process_, faults_); }

template <class T>
void SimLog::call(absl::AnyInvocable<T()> at_server, Callback<T> done) {
  const uint64_t server = database_.server();
  const bool lost = faults_.unreachable || chance(faults_.call_error);
  const bool executed = !faults_.unreachable && (!lost || chance(50));
  auto home = std::make_shared<Callback<T>>(lifetime_.guard(std::move(done)));
  process_.world().at(
      latency(), [this, alive = lifetime_.watch(), server, lost, executed,
                  at_server = std::move(at_server), home, back = latency()]() mutable {
        if (alive.expired()) return;
        const bool dead = server != database_.server();
        std::optional<T> value;
        if (executed && !dead) value.emplace(at_server());
        process_.deliver(back, [this, alive = std::move(alive), server, home, lost = lost || dead,
                                value = std::move(value)]() mutable {
          if (alive.expired()) return;
          connection_ = server;
          if (lost) {
            (*home)(connection_lost);
          } else {
            (*home)(std::move(*value));
          }
        });
      });
}

// ---- Append ----

void SimLog::answer(std::shared_ptr<Append> done, AppendReply reply) {
  process_.deliver(latency(), [done = std::move(done), reply = std::move(reply)]() mutable {
    (*done)(std::move(reply));
  });
}

void SimLog::append(std::shared_ptr<const replica::Batch> batch, Append done) {
  auto home = std::make_shared<Append>(lifetime_.guard(std::move(done)));
  if (faults_.unreachable) return answer(home, unknown());
  append_at_server(std::move(batch), std::move(home));
}

void SimLog::append_at_server(std::shared_ptr<const replica::Batch> batch,
                              std::shared_ptr<Append> done) {
  if (chance(faults_.append_lost_before)) {
    probes_.hit("sim: append lost before it was executed");
    return answer(std::move(done), unknown());
  }
  if (database_.full || chance(faults_.append_error)) {
    const Error error = database_.full ? Error::backend_full : Error::io;
    probes_.hit("sim: append refused with a clean error");
    return answer(std::move(done), {AppendOutcome::unknown, error, true});
  }
  if (chance(faults_.append_zombie)) {
    answer(std::move(done), unknown());
    return append_later(std::move(batch));
  }
  const bool reply_lost = chance(faults_.append_lost_after);
  const uint64_t server = database_.server();
  // The server goes on whatever becomes of this process, so nothing here may depend on its life.
  process_.world().at(latency(), [this, alive = lifetime_.watch(), database = &database_, server,
                                  batch, done, reply_lost] {
    if (alive.expired()) {
      if (server == database->server() && database->insert(batch)) database->flush();
      return;
    }
    if (server != database->server()) return answer(done, unknown());
    commit(batch, done, reply_lost);
  });
}

void SimLog::commit(std::shared_ptr<const replica::Batch> batch, std::shared_ptr<Append> done,
                    bool reply_lost) {
  if (!database_.insert(batch)) {
    return answer(std::move(done),
                  reply_lost ? unknown() : AppendReply{AppendOutcome::rejected, {}, false});
  }
  await_flush(database_.server(), std::move(done), reply_lost);
}

void SimLog::await_flush(uint64_t server, std::shared_ptr<Append> done, bool reply_lost) {
  process_.world().at(latency(), [this, alive = lifetime_.watch(), database = &database_, server,
                                  done, reply_lost] {
    const bool same = server == database->server();
    const bool waits = same && !database->flush();
    if (alive.expired()) return;
    if (waits) return await_flush(server, done, reply_lost);
    if (same && reply_lost) probes_.hit("sim: append committed and its reply lost");
    answer(done,
           same && !reply_lost ? AppendReply{AppendOutcome::committed, {}, false} : unknown());
  });
}

void SimLog::append_later(std::shared_ptr<const replica::Batch> batch) {
  Rng& rng = process_.world().rng();
  if (rng.chance(30)) return append_stalled(batch);
  const int64_t delay =
      rng.between(millisecond, rng.chance(30) ? 4000 * millisecond : 60 * millisecond);
  process_.world().at(delay, [database = &database_, probes = &probes_, batch,
                              server = database_.server()] {
    if (server != database->server()) return;
    const bool landed = database->insert(batch);
    probes->hit(landed ? "sim: a zombie append committed" : "sim: a zombie append was too late");
    if (landed) database->flush();
  });
}

// It is visible at once, and for long not durable; perhaps that server never gets to it.
void SimLog::append_stalled(const std::shared_ptr<const replica::Batch>& batch) {
  Rng& rng = process_.world().rng();
  if (!database_.insert(batch)) return;
  const bool dies = !exclusive_ && rng.chance(30);
  const int64_t delay = rng.between(5 * millisecond, 300 * millisecond);
  process_.world().at(
      delay, [database = &database_, probes = &probes_, dies, server = database_.server()] {
        if (server != database->server()) return;
        if (!dies) {
          database->flush();
        } else if (database->fail_over() > 0) {
          probes->hit("sim: a failover lost rows that were visible");
        }
      });
}

// ---- Everything else ----

void SimLog::look(Seq seq, Callback<LookReply> done) {
  call<LookReply>(
      [this, seq] {
        LookReply reply;
        const auto& rows = database_.rows();
        if (rows.empty()) return reply;
        reply.oldest = Seq(rows.begin()->first);
        reply.newest = Seq(rows.rbegin()->first);
        const auto at = rows.find(seq.value);
        if (at != rows.end()) reply.header = at->second.header;
        return reply;
      },
      std::move(done));
}

void SimLog::head(Callback<replica::LogHead> done) {
  call<replica::LogHead>(
      [this] {
        replica::LogHead head;
        if (database_.rows().empty()) return head;
        head.newest = database_.rows().rbegin()->second.header;
        head.epoch = head.newest.epoch;
        head.leader = head.newest.incarnation;
        return head;
      },
      std::move(done));
}

void SimLog::barrier(StatusCallback done) {
  call<bool>([this] { return planted(Planted::barrier_without_commit) || database_.flush(); },
             [done = std::move(done)](const Result<bool>& result) mutable {
               done(result.ok() && !*result ? connection_lost : result.status());
             });
}

void SimLog::remove(std::vector<keyspace::RecordId> records, StatusCallback done) {
  call<bool>(
      [this, records = std::move(records)] {
        if (!database_.removal_fails) database_.remove(records);
        return !database_.removal_fails;
      },
      [done = std::move(done)](const Result<bool>& result) mutable {
        done(result.ok() && !*result ? connection_lost : result.status());
      });
}

void SimLog::trim(Seq below, StatusCallback done) {
  call<bool>(
      [this, below] {
        database_.trim(below);
        return true;
      },
      [done = std::move(done)](const Result<bool>& result) mutable { done(result.status()); });
}

void SimLog::size(Callback<replica::LogSize> done) {
  call<replica::LogSize>([] { return replica::LogSize{4096, 1024}; }, std::move(done));
}

void SimLog::defragment(StatusCallback done) {
  call<bool>(
      [] { return true; },
      [done = std::move(done)](const Result<bool>& result) mutable { done(result.status()); });
}

// ---- Load ----

// Read in chunks, each at its own moment, as a database without a long snapshot does.
struct SimLog::Loading {
  Seq after;
  OnBatch on_batch;
  StatusCallback done;
};

void SimLog::load(Seq after, OnBatch on_batch, StatusCallback done) {
  load_chunk(std::make_shared<Loading>(Loading{after, std::move(on_batch), std::move(done)}));
}

void SimLog::load_chunk(std::shared_ptr<Loading> loading) {
  using Chunk = std::vector<LoadedBatch>;
  const size_t chunk_max = process_.world().rng().chance(20) ? 8 : 1000;
  call<Chunk>(
      [this, after = loading->after, chunk_max] {
        Chunk chunk;
        const auto& rows = database_.rows();
        for (auto at = rows.upper_bound(after.value); at != rows.end(); ++at) {
          if (chunk.size() == chunk_max) break;
          LoadedBatch batch;
          batch.header = at->second.header;
          batch.seq = Seq(at->first);
          for (const auto& [index, record] : at->second.records) {
            batch.indexes.push_back(index);
            batch.records.push_back(record);
          }
          chunk.push_back(std::move(batch));
        }
        return chunk;
      },
      [this, loading](Result<Chunk> chunk) {
        if (!chunk.ok()) return loading->done(chunk.status());
        if (chunk->empty()) return loading->done({});
        loading->after = chunk->back().seq;
        const auto alive = lifetime_.watch();
        for (LoadedBatch& batch : *chunk) {
          loading->on_batch(std::move(batch));
          if (alive.expired()) return;
        }
        load_chunk(loading);
      });
}

}  // namespace lattice::sim
