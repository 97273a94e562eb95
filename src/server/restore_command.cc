#include "server/restore_command.h"

#include <optional>
#include <ostream>
#include <utility>

#include "replica/append_resolver.h"
#include "replica/state.h"
#include "replica/takeover.h"
#include "server/exit_status.h"
#include "server/loop_environment.h"
#include "server/store.h"

namespace lattice::server {
namespace {

using Verdict = replica::AppendResolver::Verdict;

// For the database to answer one question.
constexpr Duration patience = std::chrono::seconds(15);

class RestoreTool {
 public:
  RestoreTool(const config::Config& config, std::ostream& out, std::ostream& err)
      : config_(config), out_(out), err_(err), environment_(loop_) {}

  int run() {
    const Status status = declare_all();
    if (status.ok()) return 0;
    err_ << "error: " << status.detail() << "\n";
    return status.error() == Error::not_leader ? exit_failure
                                               : exit_status_of(status, config_.paths.wal_dir);
  }

 private:
  // Runs the loop until the answer is there, or for too long.
  template <class Answer, class Ask>
  Answer wait_for(Ask ask) {
    // Shared with a callback that may come after the wait was given up.
    const auto answer = std::make_shared<std::optional<Answer>>();
    ask([this, answer](Answer given) {
      *answer = std::move(given);
      loop_.stop();
    });
    const Instant give_up = environment_.now() + patience;
    while (!*answer && environment_.now() < give_up) {
      pause(give_up - environment_.now());
    }
    if (*answer) return std::move(**answer);
    const Status why = store_ != nullptr ? store_->health() : Status();
    return why.ok() ? Status(Error::backend_unavailable, "the database does not answer") : why;
  }
  void pause(Duration time) {
    const std::unique_ptr<loop::TimerHandle> timer = loop_.after(time, [this] { loop_.stop(); });
    loop_.run();
  }

  Status declare_all() {
    if (config_.backend.kind == config::BackendKind::memory) {
      return {Error::invalid_argument, "a memory:// store has nothing to restore"};
    }
    Result<std::unique_ptr<Store>> store =
        open_store(config_, {.loop = loop_, .environment = environment_, .log = *log_});
    if (!store.ok()) return store.status();
    store_ = std::move(*store);
    // The sessions come with the first log.
    Status opened = wait_for<Result<OpenedLog>>([&](auto done) {
                      store_->open_log(config_.tenants.default_tenant, std::move(done));
                    }).status();
    if (!opened.ok()) return opened;
    Result<backends::TenantList> all = wait_for<Result<backends::TenantList>>(
        [&](auto done) { store_->directory().list(std::move(done)); });
    if (!all.ok()) return all.status();
    for (const backends::TenantRow& row : all->tenants) {
      if (row.state != backends::TenantState::active) continue;
      const OpenedLog listed = store_->open_listed(row);
      if (Status status = declare(row.name, listed); !status.ok()) return status;
    }
    return {};
  }

  Status declare(const std::string& tenant, const OpenedLog& opened) {
    Result<replica::LogHead> head =
        wait_for<Result<replica::LogHead>>([&](auto done) { opened.log->head(std::move(done)); });
    if (!head.ok()) return head.status();
    if (head->newest.seq == Seq(0)) {
      out_ << "tenant " << tenant << " is empty\n";
      return {};
    }
    if (opened.sessions != nullptr) {
      if (Status status = end_session(*opened.sessions, head->leader, opened.log->id());
          !status.ok()) {
        return status;
      }
    }
    return append(tenant, *opened.log, head->newest);
  }

  // L3: whoever leads by the log is dead, or is declared so having stood still for a full TTL.
  Status end_session(replica::Sessions& sessions, const replica::Incarnation& leader,
                     const replica::LogId& log) {
    using Row = Result<std::optional<replica::SessionRow>>;
    const auto read = [&] {
      return wait_for<Row>([&](auto done) { sessions.read(leader, log, std::move(done)); });
    };
    const auto over = [](const Row& row) { return !(*row).has_value() || (*row)->dead; };
    if (leader == replica::Incarnation{}) return {};
    const Row before = read();
    if (!before.ok()) return before.status();
    if (over(before)) return {};
    const Instant until = environment_.now() + options_.session_ttl;
    while (environment_.now() < until) pause(until - environment_.now());
    const Row after = read();
    if (!after.ok()) return after.status();
    if (over(after)) return {};
    if ((*after)->renewals == (*before)->renewals) {
      const Result<bool> declared = wait_for<Result<bool>>(
          [&](auto done) { sessions.declare_dead(leader, (*after)->renewals, std::move(done)); });
      if (!declared.ok()) return declared.status();
      if (*declared) return {};
    }
    return running();
  }
  static Status running() {
    return {Error::not_leader, "a Lattice is running on this database; stop all of them first"};
  }

  Status append(const std::string& tenant, replica::Log& log, const replica::BatchHeader& tip) {
    replica::Observer observer;
    replica::State state(options_, environment_, log, observer);
    const std::shared_ptr<replica::Batch> batch =
        replica::make_takeover(tip, tip.last_revision, {}, log.server(), state.random.batch_id());
    const Revision base = replica::add_jump(batch.get(), tip.last_revision, std::nullopt);
    batch->header.digest = replica::compute_digest(log.id(), batch->header, batch->records);
    replica::AppendResolver resolver(state);
    const Result<Verdict> verdict = wait_for<Result<Verdict>>([&](auto done) {
      resolver.append(
          batch, [done = std::move(done)](Verdict found, const Status&) mutable { done(found); });
    });
    if (!verdict.ok()) {
      return {verdict.error(), verdict.status().detail() + "; whether tenant " + tenant +
                                   " jumped is not known: do it again"};
    }
    if (*verdict == Verdict::refused) return {Error::backend_full, "the database is full"};
    if (*verdict != Verdict::committed) return running();
    out_ << "tenant " << tenant << ": revision " << tip.last_revision.value << " jumps to "
         << base.value << "\n";
    return {};
  }

  const config::Config& config_;
  std::ostream& out_;
  std::ostream& err_;
  const replica::Options options_;
  std::shared_ptr<telemetry::Logger> log_ = telemetry::Logger::to_nowhere();
  loop::Loop loop_;
  LoopEnvironment environment_;
  std::unique_ptr<Store> store_;
};

}  // namespace

int run_restore_command(const config::Config& config, std::ostream& out, std::ostream& err) {
  return RestoreTool(config, out, err).run();
}

}  // namespace lattice::server
