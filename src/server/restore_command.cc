#include "server/restore_command.h"

#include <algorithm>
#include <ostream>
#include <utility>
#include <vector>

#include "replica/append_resolver.h"
#include "replica/state.h"
#include "replica/takeover.h"
#include "server/exit_status.h"
#include "server/opened_database.h"

namespace lattice::server {
namespace {

using backends::TenantRow;
using backends::TenantState;
using Verdict = replica::AppendResolver::Verdict;

// For an append whose outcome is not known at once.
constexpr Duration restore_patience = std::chrono::seconds(15);

Status running() {
  return {Error::not_leader, "a Lattice is running on this database; stop all of them first"};
}

class RestoreTool {
 public:
  RestoreTool(const config::Config& config, std::ostream& out, std::ostream& err)
      : config_(config), out_(out), err_(err) {}

  int run(const std::string& backend) {
    const Status status = declare_all(backend);
    if (status.ok()) return unfinished_ ? exit_failure : 0;
    err_ << "error: " << status.detail() << "\n";
    return status.error() == Error::not_leader ? exit_failure
                                               : exit_status_of(status, config_.paths.wal_dir);
  }

 private:
  // A tenant as one database has it.
  struct Tenant {
    OpenedDatabase* database = nullptr;
    TenantRow row;
    OpenedLog opened;
    replica::BatchHeader tip;
    bool jumps = true;
  };

  Status declare_all(const std::string& backend) {
    std::vector<std::string> names = {backend};
    if (backend.empty()) {
      names = {config::default_backend};
      for (const auto& [name, ignored] : config_.backends) names.push_back(name);
    }
    for (const std::string& name : names) {
      if (Status status = open(name); !status.ok()) return in_backend(name, status);
    }
    // What stands against it anywhere is met before anything is changed.
    for (Tenant& tenant : tenants_) {
      Status status = prepare(tenant);
      if (!status.ok()) return in_backend(tenant.database->backend(), status);
    }
    for (Tenant& tenant : tenants_) {
      if (!tenant.jumps) continue;
      Status status = append(tenant);
      if (!status.ok()) return in_backend(tenant.database->backend(), status);
    }
    return {};
  }

  Status in_backend(const std::string& name, const Status& status) const {
    if (config_.backends.empty() || status.error() == Error::invalid_argument) return status;
    return {status.error(), "backend \"" + name + "\": " + status.detail()};
  }

  Status open(const std::string& name) {
    const bool memory = config_.backend.kind == config::BackendKind::memory;
    if (name == config::default_backend && memory) {
      return {Error::invalid_argument, "a memory:// store has nothing to restore"};
    }
    Result<std::unique_ptr<OpenedDatabase>> opened = OpenedDatabase::open(config_, name, blocking_);
    if (!opened.ok()) return opened.status();
    databases_.push_back(std::move(*opened));
    OpenedDatabase& database = *databases_.back();
    if (database.beside()) return database.lock();
    Result<backends::TenantList> all = database.list();
    if (!all.ok()) return all.status();
    for (TenantRow& row : all->tenants) {
      if (row.state == TenantState::removing || row.state == TenantState::moved) continue;
      OpenedLog log = database.store()->open_listed(row);
      tenants_.push_back({&database, std::move(row), std::move(log), {}});
    }
    return {};
  }

  Status prepare(Tenant& tenant) {
    if (tenant.row.state != TenantState::active) {
      Result<bool> here = is_here(tenant);
      if (!here.ok()) return here.status();
      tenant.jumps = *here;
      if (!*here) return {};
    }
    replica::Log& log = *tenant.opened.log;
    Result<replica::LogHead> head =
        blocking_.wait_for<Result<replica::LogHead>>([&](auto done) { log.head(std::move(done)); });
    if (!head.ok()) return head.status();
    tenant.tip = head->newest;
    if (tenant.tip.seq == Seq(0)) {
      tenant.jumps = false;
      out_ << label(tenant) << " is empty\n";
      return {};
    }
    if (tenant.opened.sessions == nullptr) return {};
    return end_session(*tenant.opened.sessions, head->leader, log.id());
  }

  // Of one that is on the move: whether this is the log that goes on. If it is, the copy gets the
  // jump as it gets everything else. A log that is sealed has ended, and its copy begins when the
  // move is finished (log-protocol H4).
  Result<bool> is_here(const Tenant& tenant) {
    const TenantRow& row = tenant.row;
    const std::string& other = row.other_backend;
    const auto twin = std::ranges::find_if(tenants_, [&](const Tenant& each) {
      return each.row.log_id == row.log_id && each.database != tenant.database;
    });
    const bool has_twin = twin != tenants_.end();
    if (has_twin && twin->row.state == TenantState::active) {
      out_ << label(tenant) << " is in backend " << other << "\n";
      return false;
    }
    if (row.state == TenantState::arriving) {
      if (!has_twin)
        tell_unfinished(tenant, " is a copy that has not arrived from backend " + other);
      return false;
    }
    Result<bool> sealed = tenant.database->is_sealed(row);
    if (!sealed.ok()) return sealed.status();
    if (*sealed) tell_unfinished(tenant, " is on its way to backend " + other);
    return !*sealed;
  }

  void tell_unfinished(const Tenant& tenant, const std::string& what) {
    unfinished_ = true;
    err_ << "error: " << label(tenant) << what << ": finish that move, then declare again\n";
  }

  // L3: whoever leads by the log is dead, or is declared so having stood still for a full TTL.
  Status end_session(replica::Sessions& sessions, const replica::Incarnation& leader,
                     const replica::LogId& log) {
    using Row = Result<std::optional<replica::SessionRow>>;
    const auto read = [&] {
      return blocking_.wait_for<Row>(
          [&](auto done) { sessions.read(leader, log, std::move(done)); });
    };
    const auto over = [](const Row& row) { return !(*row).has_value() || (*row)->dead; };
    if (leader == replica::Incarnation{}) return {};
    Row before = read();
    const replica::Environment& clock = blocking_.environment;
    // Twice: the last renewal of a process that has just died may still have been on its way.
    for (int looks = 0; looks < 2; ++looks) {
      if (!before.ok()) return before.status();
      if (over(before)) return {};
      const Instant until = clock.now() + options_.session_ttl;
      while (clock.now() < until) blocking_.pause(until - clock.now());
      Row after = read();
      if (!after.ok()) return after.status();
      if (over(after)) return {};
      if ((*after)->renewals == (*before)->renewals) {
        const Result<bool> declared = blocking_.wait_for<Result<bool>>(
            [&](auto done) { sessions.declare_dead(leader, (*after)->renewals, std::move(done)); });
        if (!declared.ok()) return declared.status();
        if (*declared) return {};
      }
      before = std::move(after);
    }
    return running();
  }

  Status append(const Tenant& tenant) {
    replica::Log& log = *tenant.opened.log;
    const replica::BatchHeader& tip = tenant.tip;
    replica::Observer observer;
    replica::State state(options_, blocking_.environment, log, observer);
    const std::shared_ptr<replica::Batch> batch =
        replica::make_takeover(tip, tip.last_revision, {}, log.server(), state.random.batch_id());
    const Revision base = replica::add_jump(batch.get(), tip.last_revision, std::nullopt);
    batch->header.digest = replica::compute_digest(log.id(), batch->header, batch->records);
    replica::AppendResolver resolver(state);
    const std::optional<Verdict> verdict =
        blocking_.wait_at_most<Verdict>(restore_patience, [&](auto done) {
          resolver.append(batch, [done = std::move(done)](Verdict found, const Status&) mutable {
            done(found);
          });
        });
    if (!verdict) {
      const Status why = tenant.database->store()->health();
      return {Error::backend_unavailable,
              (why.ok() ? "the database does not answer" : why.detail()) + "; whether " +
                  label(tenant) + " jumped is not known: do it again"};
    }
    if (*verdict == Verdict::refused) return {Error::backend_full, "the database is full"};
    if (*verdict != Verdict::committed) return running();
    out_ << label(tenant) << ": revision " << tip.last_revision.value << " jumps to " << base.value
         << "\n";
    return {};
  }

  static std::string label(const Tenant& tenant) {
    const std::string& backend = tenant.database->backend();
    const bool further = backend != config::default_backend;
    return "tenant " + tenant.row.name + (further ? " in backend " + backend : "");
  }

  const config::Config& config_;
  std::ostream& out_;
  std::ostream& err_;
  const replica::Options options_;
  BlockingLoop blocking_;
  std::vector<std::unique_ptr<OpenedDatabase>> databases_;
  std::vector<Tenant> tenants_;  // before their databases are closed
  bool unfinished_ = false;
};

}  // namespace

int run_restore_command(const config::Config& config, const std::string& backend, std::ostream& out,
                        std::ostream& err) {
  return RestoreTool(config, out, err).run(backend);
}

}  // namespace lattice::server
