#include <utility>

#include "base/planted.h"
#include "sim/sim_log.h"

namespace lattice::sim {
namespace {
const Status connection_lost{Error::backend_unavailable, "connection lost"};
}  // namespace

template <class T>
void SimSessions::call(absl::AnyInvocable<Result<T>()> at_server, Callback<T> done) {
  Rng& rng = process_.world().rng();
  const bool lost = faults_.unreachable || rng.chance(faults_.call_error);
  const bool executed = !faults_.unreachable && (!lost || rng.chance(50));
  const auto one_way = [&] {
    return rng.chance(faults_.slow) ? rng.between(5'000'000, 700'000'000)
                                    : rng.between(100'000, 600'000);
  };
  const int64_t there = one_way();
  const int64_t back = one_way();
  auto home = std::make_shared<Callback<T>>(std::move(done));
  process_.world().at(
      there, [process = &process_, lost, executed, back, home, server = database_.server(),
              database = &database_, at_server = std::move(at_server)]() mutable {
        const bool dead = server != database->server();
        Result<T> value = connection_lost;
        if (executed && !dead) value = at_server();
        if (lost || dead) value = connection_lost;
        process->deliver(back,
                         [home, value = std::move(value)]() mutable { (*home)(std::move(value)); });
      });
}

void SimSessions::call(absl::AnyInvocable<Status()> at_server, StatusCallback done) {
  call<bool>(
      [at_server = std::move(at_server)]() mutable -> Result<bool> {
        const Status status = at_server();
        if (!status.ok()) return status;
        return true;
      },
      [done = std::move(done)](const Result<bool>& result) mutable { done(result.status()); });
}

void SimSessions::open(const replica::Incarnation& incarnation, const replica::NodeInfo& node,
                       StatusCallback done) {
  call(
      [database = &database_, incarnation, node] {
        database->sessions()[incarnation] = {incarnation, 0, false, node, {}};
        return Status();
      },
      std::move(done));
}

void SimSessions::list(Callback<std::vector<replica::SessionRow>> done) {
  using Rows = std::vector<replica::SessionRow>;
  call<Rows>(
      [database = &database_]() -> Result<Rows> {
        Rows rows;
        for (const auto& [incarnation, row] : database->sessions()) {
          if (!row.dead) rows.push_back(row);
        }
        return rows;
      },
      std::move(done));
}

void SimSessions::renew(const replica::Incarnation& incarnation,
                        std::vector<replica::Announcement> news, StatusCallback done) {
  if (planted(Planted::session_renewed_in_name))
    return call([] { return Status(); }, std::move(done));
  call(
      [database = &database_, incarnation, news = std::move(news)]() -> Status {
        const auto at = database->sessions().find(incarnation);
        if (at == database->sessions().end() || at->second.dead) return Error::not_leader;
        ++at->second.renewals;
        // There is one log.
        for (const replica::Announcement& each : news) at->second.announced = each.position;
        return {};
      },
      std::move(done));
}

void SimSessions::read(const replica::Incarnation& incarnation, const replica::LogId& /*log*/,
                       Callback<std::optional<replica::SessionRow>> done) {
  using Row = std::optional<replica::SessionRow>;
  call<Row>(
      [database = &database_, incarnation]() -> Result<Row> {
        const auto at = database->sessions().find(incarnation);
        if (at == database->sessions().end()) return Row();
        return Row(at->second);
      },
      std::move(done));
}

void SimSessions::declare_dead(const replica::Incarnation& incarnation, int64_t renewals,
                               Callback<bool> done) {
  call<bool>(
      [database = &database_, probes = &probes_, incarnation, renewals]() -> Result<bool> {
        const auto at = database->sessions().find(incarnation);
        const bool still = at != database->sessions().end() && at->second.renewals == renewals;
        if (!still) {
          probes->hit("sim: a session moved just before it was declared dead");
          return false;
        }
        at->second.dead = true;
        probes->hit("sim: a session was declared dead");
        return true;
      },
      std::move(done));
}

void SimSessions::release(const replica::Incarnation& incarnation, StatusCallback done) {
  call(
      [database = &database_, incarnation] {
        const auto at = database->sessions().find(incarnation);
        if (at != database->sessions().end()) at->second.dead = true;
        return Status();
      },
      std::move(done));
}

}  // namespace lattice::sim
