#include "server/tenant_move.h"

#include <algorithm>
#include <utility>

namespace lattice::server {
namespace {

using backends::TenantRow;
using backends::TenantState;

// When no more than this was added while the last round was copied, the rest fits into the time in
// which requests wait.
constexpr size_t small_round_records = 2000;
constexpr int rounds_max = 50;
constexpr int verify_rounds_max = 5;
constexpr Duration seal_look_interval = std::chrono::milliseconds(5);
constexpr Duration handover_look_interval = std::chrono::milliseconds(200);
// A server sees the demand within half a second, and lets go of a log within two.
constexpr Duration seal_patience = std::chrono::seconds(15);
// Processes look many times a second while a tenant moves. One that has not noticed by then follows
// a log that has ended, and shows what it has in memory.
constexpr Duration burial_grace = std::chrono::seconds(1);

Status sealed_already() {
  return {Error::invalid_argument,
          "the log is sealed: the tenant can only go on in the other backend; run it again without "
          "--abort"};
}

}  // namespace

TenantMove::Side::Side(std::unique_ptr<replica::Log> its_log, replica::Environment& environment)
    : log(std::move(its_log)),
      state(options, environment, *log, silent),
      resolver(state),
      reader(state, [] {}) {}

TenantMove::TenantMove(Parts parts, TenantRow row)
    : parts_(std::move(parts)), row_(std::move(row)) {}
TenantMove::~TenantMove() = default;

Result<TenantMove::Outcome> TenantMove::run() {
  using Step = Status (TenantMove::*)();
  for (const Step step : {&TenantMove::mark, &TenantMove::open_logs, &TenantMove::find_resume_point,
                          &TenantMove::copy_while_in_use, &TenantMove::outrun_manifest,
                          &TenantMove::seal, &TenantMove::finish}) {
    if (Status status = (this->*step)(); !status.ok()) return status;
  }
  return outcome_;
}

// ---- The rows ----

Status TenantMove::change(OpenedDatabase& database, const TenantRow& row,
                          std::vector<TenantState> from, TenantState to) {
  const bool is_source = &database == &parts_.from;
  const std::string& other = is_source ? parts_.to.backend() : parts_.from.backend();
  return parts_.blocking.wait_for<Status>([&](StatusCallback done) {
    database.store()->moves()->change(row.log_no, {std::move(from), to, other, row.routing_epoch},
                                      std::move(done));
  });
}

Result<std::optional<TenantRow>> TenantMove::arriving_row() {
  Result<backends::TenantList> list = parts_.to.list();
  if (!list.ok()) return list.status();
  for (TenantRow& row : list->tenants) {
    if (row.name == row_.name) return std::optional<TenantRow>(std::move(row));
  }
  return std::optional<TenantRow>();
}

Status TenantMove::mark() {
  Result<std::optional<TenantRow>> there = arriving_row();
  if (!there.ok()) return there.status();
  if (*there && ((*there)->state != TenantState::arriving || (*there)->log_id != row_.log_id)) {
    return Status(Error::tenant_exists, "backend \"" + parts_.to.backend() +
                                            "\" has another tenant \"" + row_.name + "\"");
  }
  if (row_.state == TenantState::active) {
    const Result<int64_t> governed = parts_.governed_epoch();
    if (!governed.ok()) return governed.status();
    row_.routing_epoch = std::max(row_.routing_epoch, *governed) + 1;
    if (Status status = change(parts_.from, row_, {TenantState::active}, TenantState::moving);
        !status.ok()) {
      return status;
    }
    row_.state = TenantState::moving;
  }
  outcome_.routing_epoch = row_.routing_epoch;
  if (!*there) {
    TenantRow fresh = row_;
    fresh.other_backend = parts_.from.backend();
    Status status = parts_.blocking.wait_for<Status>(
        [&](StatusCallback done) { parts_.to.store()->moves()->receive(fresh, std::move(done)); });
    if (!status.ok()) return status;
    there = arriving_row();
    if (!there.ok()) return there.status();
    if (!*there) return Status(Error::tenant_unknown, "the copy was removed meanwhile");
  }
  new_row_ = std::move(**there);
  return {};
}

Status TenantMove::open_logs() {
  replica::Environment& environment = parts_.blocking.environment;
  old_ = std::make_unique<Side>(parts_.from.store()->open_listed(row_).log, environment);
  new_ = std::make_unique<Side>(parts_.to.store()->open_listed(new_row_).log, environment);
  copy_ = std::make_unique<LogCopy>(
      parts_.blocking, LogCopy::End{*old_->log, *parts_.from.store()->moves(), row_.log_no},
      LogCopy::End{*new_->log, *parts_.to.store()->moves(), new_row_.log_no});
  return {};
}

// A command before this one may have come as far as the takeover at the copy's end, which stands
// where the old log has its seal.
Status TenantMove::find_resume_point() {
  BlockingLoop& blocking = parts_.blocking;
  Result<replica::LogHead> head = blocking.wait_for<Result<replica::LogHead>>(
      [&](auto done) { new_->log->head(std::move(done)); });
  if (!head.ok()) return head.status();
  const replica::BatchHeader& newest = head->newest;
  if (newest.seq == Seq(0)) return {};
  using Look = replica::Log::LookReply;
  Result<Look> look = blocking.wait_for<Result<Look>>(
      [&](auto done) { old_->log->look(newest.seq, std::move(done)); });
  if (!look.ok()) return look.status();
  if (!look->header || look->header->digest == newest.digest) {
    copy_->resume(newest);
    return {};
  }
  arrived_ = true;
  outcome_.revision = newest.last_revision.value;
  look = blocking.wait_for<Result<Look>>(
      [&](auto done) { new_->log->look(newest.seq - 1, std::move(done)); });
  if (!look.ok()) return look.status();
  replica::BatchHeader last;  // of the copy; of an empty log there is none
  if (look->header) last = *look->header;
  copy_->resume(last);
  return {};
}

// ---- While the tenant is in use ----

Status TenantMove::copy_while_in_use() {
  if (row_.state == TenantState::sealing) return {};
  for (int round = 0; round < rounds_max; ++round) {
    const size_t before = copy_->records();
    if (Status status = copy_->copy_tail(); !status.ok()) return status;
    const size_t copied = copy_->records() - before;
    if (copied > 0) parts_.tell("copied " + std::to_string(copy_->records()) + " records");
    if (copied <= small_round_records || copy_->seal()) break;
  }
  parts_.tell("verifying the copy");
  Status status;
  for (int round = 0; round < verify_rounds_max; ++round) {
    status = drop_deleted();
    // What deletes records is in the log behind them: with it the copy explains itself.
    if (status.ok()) status = copy_->copy_tail();
    if (status.ok()) status = verify();
    if (status.error() != Error::backend_corrupt) break;
  }
  return status.ok() ? copy_->copy_tail() : status;
}

// A process that has loaded the copy before may have read what was deleted when it was copied, and
// not what had ended it. The epoch of the copy's row tells it to load again.
Status TenantMove::drop_deleted() {
  return copy_->drop_deleted([this] {
    ++new_row_.routing_epoch;
    return change(parts_.to, new_row_, {TenantState::arriving}, TenantState::arriving);
  });
}

// As a replica does that loads it: the chain, the digests, and the hash of the newest compaction.
Status TenantMove::verify() {
  Status status = read_copy();
  if (status.error() == Error::compacted || status.error() == Error::backend_corrupt) {
    // A compaction has deleted some of it meanwhile. If there is more to it, that shows again.
    new_->reader.restart();
    verified_compaction_ = {};
    status = read_copy();
  }
  return status;
}

Status TenantMove::read_copy() {
  Status status = parts_.blocking.wait_for<Status>(
      [&](StatusCallback done) { new_->reader.read(std::move(done)); });
  if (status.ok()) status = new_->reader.apply_all();
  return status.ok() ? verify_compaction() : status;
}

Status TenantMove::verify_compaction() {
  replica::State& state = new_->state;
  const replica::CompactionState& compaction = state.compaction;
  if (!compaction.done || compaction.revision == Revision(-1)) return {};
  if (compaction.seq <= verified_compaction_) return {};
  verified_compaction_ = compaction.seq;
  std::vector<keyspace::RecordId> dropped;
  keyspace::Keyspace::CompactStep step;
  while (!step.done) step = state.keyspace.compact_step(100'000, &dropped);
  if (step.hash == compaction.hash) return {};
  return {Error::backend_corrupt, "the copy is not what was left by the newest compaction"};
}

// The manifest may have got a newer epoch since the move began. By the copy's, servers tell that it
// speaks of the time before.
Status TenantMove::outrun_manifest() {
  const Result<int64_t> governed = parts_.governed_epoch();
  if (!governed.ok()) return governed.status();
  if (arrived_ || new_row_.state != TenantState::arriving) return {};
  if (new_row_.routing_epoch > *governed) return {};
  new_row_.routing_epoch = *governed + 1;
  return change(parts_.to, new_row_, {TenantState::arriving}, TenantState::arriving);
}

// ---- The seal ----

Status TenantMove::seal() {
  asked_ = seen_since_ = parts_.blocking.environment.now();
  if (!copy_->seal() && row_.state != TenantState::sealing) {
    parts_.tell("requests wait while the log is sealed");
    if (Status status = change(parts_.from, row_, {TenantState::moving}, TenantState::sealing);
        !status.ok()) {
      return status;
    }
    row_.state = TenantState::sealing;
    demanded_ = true;
  }
  return await_seal();
}

Status TenantMove::await_seal() {
  Instant looked{};
  while (true) {
    if (Status status = copy_->copy_tail(); !status.ok()) return status;
    if (copy_->seal()) return {};
    const Instant now = parts_.blocking.environment.now();
    if (now - asked_ >= seal_patience) break;
    if (now - looked >= handover_look_interval) {
      looked = now;
      if (Status status = seal_if_nobody_leads(); !status.ok()) return status;
    } else {
      parts_.blocking.pause(seal_look_interval);
    }
  }
  // It is served again from where it is; if the seal has come too late for that, the next command
  // finds it.
  (void)change(parts_.from, row_, {TenantState::sealing}, TenantState::moving);
  return {Error::timeout,
          "the process that leads the tenant has not sealed its log; does it run this version, and "
          "has it [backends." +
              parts_.to.backend() + "]? Run the command again"};
}

// The rules of a takeover (log-protocol L3, L4): who led must be known to be gone.
Status TenantMove::seal_if_nobody_leads() {
  BlockingLoop& blocking = parts_.blocking;
  Result<replica::LogHead> head = blocking.wait_for<Result<replica::LogHead>>(
      [&](auto done) { old_->log->head(std::move(done)); });
  if (!head.ok()) return head.status();
  const replica::Incarnation leader = head->leader;
  replica::Sessions* const sessions = parts_.from.store()->without_log().sessions;
  if (leader == replica::Incarnation{} || sessions == nullptr) return seal_behind(head->newest);
  using Row = std::optional<replica::SessionRow>;
  const Instant asked = blocking.environment.now();
  Result<Row> row = blocking.wait_for<Result<Row>>(
      [&](auto done) { sessions->read(leader, row_.log_id, std::move(done)); });
  if (!row.ok()) return row.status();
  if (!*row || (*row)->dead) return seal_behind(head->newest);
  const Instant now = blocking.environment.now();
  if (seen_.incarnation != leader || seen_.renewals != (*row)->renewals) {
    seen_ = **row;
    seen_.incarnation = leader;
    seen_since_ = now;
  } else if (asked - seen_since_ >= old_->options.session_ttl) {
    Result<bool> declared = blocking.wait_for<Result<bool>>(
        [&](auto done) { sessions->declare_dead(leader, seen_.renewals, std::move(done)); });
    if (!declared.ok()) return declared.status();
  }
  return {};
}

Status TenantMove::seal_behind(const replica::BatchHeader& newest) {
  // Rejected: somebody has begun to lead, and is to seal it.
  (void)append(*old_, replica::make_seal(old_->state, newest, the_seal()));
  return {};
}

TenantMove::Verdict TenantMove::append(Side& side, std::shared_ptr<const replica::Batch> batch) {
  return parts_.blocking.wait_for<Verdict>([&](auto done) {
    side.resolver.append(
        std::move(batch),
        [done = std::move(done)](Verdict verdict, const Status&) mutable { done(verdict); });
  });
}

// ---- Behind the seal ----

Status TenantMove::finish() {
  parts_.tell("opening the tenant in the new backend");
  if (!arrived_) {
    if (Status status = drop_deleted(); !status.ok()) return status;
    if (Status status = verify(); !status.ok()) return status;
    const replica::BatchHeader& seal = *copy_->seal();
    if (new_->state.applied.seq + 1 != seal.seq || new_->state.applied.digest != seal.previous) {
      return {Error::backend_corrupt, "the copy does not end where the old log was sealed"};
    }
    const std::shared_ptr<replica::Batch> batch =
        replica::make_takeover(new_->state, new_->reader.tip(), replica::Incarnation{});
    batch->header.digest = replica::compute_digest(new_->log->id(), batch->header, batch->records);
    if (append(*new_, batch) != Verdict::committed) {
      return {Error::backend_unavailable, "the copy was changed meanwhile; run the command again"};
    }
    outcome_.revision = batch->header.last_revision.value;
  }
  if (new_row_.routing_epoch > row_.routing_epoch) ++new_row_.routing_epoch;
  outcome_.routing_epoch = new_row_.routing_epoch;
  outcome_.records = copy_->records();
  Status status = change(parts_.to, new_row_, {TenantState::arriving}, TenantState::active);
  if (demanded_) outcome_.interrupted = parts_.blocking.environment.now() - asked_;
  return status;
}

Status TenantMove::bury() {
  if (Status status = change(parts_.from, row_, {TenantState::moving, TenantState::sealing},
                             TenantState::moved);
      !status.ok()) {
    return status;
  }
  parts_.tell("deleting the rows in the old backend");
  parts_.blocking.pause(burial_grace);
  return parts_.from.sweep(row_.log_no);
}

// ---- Giving up ----

Status TenantMove::abort() {
  Result<std::optional<TenantRow>> there = arriving_row();
  if (!there.ok()) return there.status();
  const bool copied =
      *there && (*there)->state == TenantState::arriving && (*there)->log_id == row_.log_id;
  if (row_.state == TenantState::active && !copied) {
    return {Error::invalid_argument, "there is no move of tenant \"" + row_.name +
                                         "\" to backend \"" + parts_.to.backend() + "\""};
  }
  const bool was_sealing = row_.state == TenantState::sealing;
  if (row_.state != TenantState::active) {
    Status status = change(parts_.from, row_, {row_.state}, TenantState::moving);
    if (!status.ok()) return status;
    row_.state = TenantState::moving;
    // Whoever was asked for the seal has seen by then that it is not wanted any more.
    if (was_sealing) parts_.blocking.pause(burial_grace);
  }
  const Result<bool> sealed = parts_.from.is_sealed(row_);
  if (!sealed.ok()) return sealed.status();
  if (*sealed) return sealed_already();
  if (copied) {
    Status status = parts_.blocking.wait_for<Status>(
        [&](StatusCallback done) { parts_.to.directory().remove(row_.name, std::move(done)); });
    if (status.ok()) status = parts_.to.sweep((*there)->log_no);
    if (!status.ok()) return status;
  }
  if (row_.state == TenantState::active) return {};
  return change(parts_.from, row_, {TenantState::moving}, TenantState::active);
}

}  // namespace lattice::server
