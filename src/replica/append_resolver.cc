#include "replica/append_resolver.h"

#include <algorithm>
#include <utility>

namespace lattice::replica {
namespace {
// A position that is neither ours, nor another's, nor free, this often in a row: the log has
// changed behind its head.
constexpr int missing_max = 3;
}  // namespace

void AppendResolver::append(std::shared_ptr<const Batch> batch, Done done) {
  batch_ = std::move(batch);
  done_ = std::move(done);
  ambiguous_ = false;
  missing_ = 0;
  backoff_ = state_.options.append_backoff_min;
  submit();
}

void AppendResolver::submit() {
  state_.log.append(batch_,
                    lifetime_.guard([this](AppendReply reply) { on_reply(std::move(reply)); }));
}

void AppendResolver::on_reply(AppendReply reply) {
  switch (reply.outcome) {
    case AppendOutcome::committed:
      return finish(Verdict::committed, {});
    case AppendOutcome::rejected:
      state_.observer.on_append_rejected();
      return look();
    case AppendOutcome::unknown:
      return on_unknown(reply);
  }
}

void AppendResolver::on_unknown(const AppendReply& reply) {
  state_.observer.on_append_unknown(reply.detail);
  if (reply.definite_error && ambiguous_) {
    state_.observer.on_rare("a clean error after an unknown outcome");
  }
  if (!reply.definite_error) {
    ambiguous_ = true;
  } else if (!ambiguous_ && reply.detail.error() == Error::backend_full) {
    return finish(Verdict::refused, reply.detail);
  }
  retry(&AppendResolver::submit);
}

void AppendResolver::look() {
  state_.log.look(batch_->header.seq,
                  lifetime_.guard([this](const Result<Log::LookReply>& reply) { on_look(reply); }));
}

void AppendResolver::on_look(const Result<Log::LookReply>& reply) {
  if (!reply.ok()) return retry(&AppendResolver::look);
  const Seq seq = batch_->header.seq;
  if (!reply->header) {
    // Rejected, and yet nothing is there. Trimmed below the oldest header: whether it had landed
    // can no longer be told. Otherwise the batch that this one follows has gone, or another
    // connection shows an older state: only repetition tells those apart.
    state_.observer.on_rare("rejected and not there");
    if (reply->newest >= seq)
      return confirm(Verdict::lost, {Error::backend_corrupt, "position trimmed"});
    if (++missing_ >= missing_max) {
      return confirm(Verdict::lost,
                     {Error::backend_corrupt, "the log has lost its newest batches"});
    }
    return retry(&AppendResolver::submit);
  }
  const bool mine =
      reply->header->id == batch_->header.id && reply->header->digest == batch_->header.digest;
  state_.observer.on_rare(mine ? "an earlier submission had committed" : "another batch was there");
  confirm(mine ? Verdict::committed : Verdict::rejected, {});
}

void AppendResolver::confirm(Verdict verdict, Status detail) {
  const uint64_t shown_by = state_.log.connection();
  state_.log.barrier(
      lifetime_.guard([this, verdict, detail = std::move(detail), shown_by](const Status& status) {
        // The connection that showed it may be gone, and what it showed with it: look again.
        if (!status.ok() || state_.log.connection() != shown_by) {
          state_.observer.on_rare("the barrier failed");
          return retry(&AppendResolver::look);
        }
        finish(verdict, detail);
      }));
}

void AppendResolver::retry(void (AppendResolver::*step)()) {
  const Duration delay = backoff_ + state_.random.jitter(backoff_ / 2);
  backoff_ = std::min(backoff_ * 2, state_.options.append_backoff_max);
  timer_ = state_.environment.after(delay, [this, step] { (this->*step)(); });
}

void AppendResolver::finish(Verdict verdict, const Status& detail) {
  batch_.reset();
  auto done = std::exchange(done_, nullptr);
  done(verdict, detail);
}

}  // namespace lattice::replica
