#include "replica/append_resolver.h"

#include <algorithm>
#include <utility>

#include "base/planted.h"

namespace lattice::replica {
namespace {
// A position that is neither ours, nor another's, nor free, this often in a row: the log has
// changed behind its head.
constexpr int missing_max = 3;
}  // namespace

void AppendResolver::append(std::shared_ptr<const Batch> batch, Done done) {
  auto entry = std::make_shared<Entry>();
  entry->batch = std::move(batch);
  entry->done = std::move(done);
  entries_.push_back(entry);
  if (entries_.size() == 1) begin_oldest();
  submit(std::move(entry));
}

void AppendResolver::begin_oldest() {
  missing_ = 0;
  backoff_ = state_.options.append_backoff_min;
}

void AppendResolver::submit(std::shared_ptr<Entry> entry) {
  entry->submitted = true;
  std::shared_ptr<const Batch> batch = entry->batch;
  state_.log.append(std::move(batch), lifetime_.guard([this, entry](const AppendReply& reply) {
    if (!entry->ended) on_reply(*entry, reply);
  }));
}

void AppendResolver::on_reply(Entry& entry, const AppendReply& reply) {
  entry.submitted = false;
  if (reply.outcome == AppendOutcome::committed) {
    entry.committed = true;
    return finish_committed();
  }
  if (&entry == entries_.front().get()) return on_oldest_reply(reply);
  // Its turn comes when the older ones are decided.
  state_.observer.on_rare("a batch was not committed before the one that it follows");
  if (reply.outcome == AppendOutcome::unknown && !reply.definite_error) entry.ambiguous = true;
}

void AppendResolver::on_oldest_reply(const AppendReply& reply) {
  Entry& entry = *entries_.front();
  if (reply.outcome == AppendOutcome::rejected) {
    state_.observer.on_append_rejected();
    return look();
  }
  state_.observer.on_append_unknown(reply.detail);
  if (reply.definite_error && entry.ambiguous) {
    state_.observer.on_rare("a clean error after an unknown outcome");
  }
  if (!reply.definite_error) {
    if (planted(Planted::ambiguous_is_failed)) return finish(Verdict::refused, reply.detail);
    if (planted(Planted::ambiguous_is_new)) return finish(Verdict::rejected, {});
    if (planted(Planted::naive_token_check)) return look();
    entry.ambiguous = true;
  } else if ((!entry.ambiguous || planted(Planted::clean_error_settles)) &&
             reply.detail.error() == Error::backend_full) {
    return finish(Verdict::refused, reply.detail);
  }
  retry(&AppendResolver::submit_oldest);
}

void AppendResolver::look() {
  state_.log.look(entries_.front()->batch->header.seq,
                  lifetime_.guard([this](const Result<Log::LookReply>& reply) { on_look(reply); }));
}

void AppendResolver::on_look(const Result<Log::LookReply>& reply) {
  if (!reply.ok()) return retry(&AppendResolver::look);
  const BatchHeader& own = entries_.front()->batch->header;
  if (!reply->header) {
    if (planted(Planted::naive_token_check)) return finish(Verdict::refused, {});
    // Rejected, and yet nothing is there. Trimmed below the oldest header: whether it had landed
    // can no longer be told. Otherwise the batch that this one follows has gone, or another
    // connection shows an older state: only repetition tells those apart.
    state_.observer.on_rare("rejected and not there");
    if (reply->newest >= own.seq)
      return confirm(Verdict::lost, {Error::backend_corrupt, "position trimmed"});
    if (++missing_ >= missing_max) {
      return confirm(Verdict::lost,
                     {Error::backend_corrupt, "the log has lost its newest batches"});
    }
    return retry(&AppendResolver::submit_oldest);
  }
  const bool mine = reply->header->id == own.id && reply->header->digest == own.digest;
  state_.observer.on_rare(mine ? "an earlier submission had committed" : "another batch was there");
  confirm(mine ? Verdict::committed : Verdict::rejected, {});
}

void AppendResolver::confirm(Verdict verdict, Status detail) {
  if (planted(Planted::look_trusted)) return settle(verdict, detail);
  const uint64_t shown_by = state_.log.connection();
  state_.log.barrier(
      lifetime_.guard([this, verdict, detail = std::move(detail), shown_by](const Status& status) {
        // The connection that showed it may be gone, and what it showed with it: look again.
        if (!status.ok() || state_.log.connection() != shown_by) {
          state_.observer.on_rare("the barrier failed");
          return retry(&AppendResolver::look);
        }
        settle(verdict, detail);
      }));
}

void AppendResolver::settle(Verdict verdict, const Status& detail) {
  if (verdict != Verdict::committed) return finish(verdict, detail);
  entries_.front()->committed = true;
  finish_committed();
}

void AppendResolver::retry(void (AppendResolver::*step)()) {
  const Duration delay = backoff_ + state_.random.jitter(backoff_ / 2);
  backoff_ = std::min(backoff_ * 2, state_.options.append_backoff_max);
  timer_ = state_.environment.after(delay, [this, step] { (this->*step)(); });
}

void AppendResolver::finish_committed() {
  while (!entries_.empty() && entries_.front()->committed) {
    const std::shared_ptr<Entry> entry = std::move(entries_.front());
    entries_.pop_front();
    begin_oldest();
    // The next one's reply may have come too early to say anything.
    if (!entries_.empty() && !entries_.front()->committed && !entries_.front()->submitted) {
      submit_oldest();
    }
    entry->done(Verdict::committed, {});
  }
}

void AppendResolver::finish(Verdict verdict, const Status& detail) {
  const auto all = std::exchange(entries_, {});
  for (const std::shared_ptr<Entry>& entry : all) entry->ended = true;
  all.front()->done(verdict, detail);
}

}  // namespace lattice::replica
