#include "replica/hub_stream.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/planted.h"
#include "replica/gate.h"

namespace lattice::replica {
namespace {

constexpr WatchId no_watch(-1);
// A stream does not live longer.
constexpr int64_t token_timer_seconds_max = 10LL * 365 * 86'400;

bool is_open(const keyspace::KeyRange& range) { return range.end == std::string_view("\0", 1); }

// Keys are compared as the client sent them; an end of "\0" is no end (etcd-v3.md 4.2).
bool is_empty(const keyspace::KeyRange& range) {
  if (range.end.empty() || is_open(range)) return false;
  return range.key >= range.end;
}

WatchRefusal refusal_of(const Status& status) {
  switch (status.error()) {
    case Error::user_empty:
      return WatchRefusal::user_empty;
    case Error::invalid_auth_token:
      return WatchRefusal::invalid_auth_token;
    case Error::auth_old_revision:
      return WatchRefusal::auth_old_revision;
    default:
      return WatchRefusal::permission_denied;
  }
}

}  // namespace

HubStream::~HubStream() {
  if (hub_ == nullptr) return;
  for (const auto& [id, token] : watches_) hub_->remove(token);
  hub_->forget(*this);
  give_back(outstanding_);
}

void HubStream::create(WatchCreate create) {
  if (create.range.key.empty()) create.range.key.assign(1, '\0');
  ask(std::move(create));
}

void HubStream::cancel(WatchId id) { ask(Cancel{id}); }

void HubStream::request_progress() { ask(Progress{}); }

void HubStream::ask(Request request) {
  if (hub_ == nullptr) return;
  requests_.push_back({std::move(request), hub_->visible(), fence_is_up()});
  if (hub_->busy()) return hub_->call_later(*this);
  if (!waiting_) run_requests();
}

bool HubStream::fence_is_up() const {
  return hub_->serving() && hub_->reads_.meets(ReadQueue::Needs::linearizable);
}

bool HubStream::may_run(const Asked& asked) const {
  if (!hub_->serving()) return false;
  if (asked.fenced || planted(Planted::watch_from_now_unfenced)) return true;
  // "From now on" is a claim about the present, and needs the read fence; a known revision does not
  // (S5).
  const WatchCreate* create = std::get_if<WatchCreate>(&asked.request);
  return create == nullptr || create->start_revision != Revision(0);
}

void HubStream::run_requests() {
  const auto alive = lifetime_.watch();
  while (!alive.expired() && hub_ != nullptr && !requests_.empty()) {
    if (hub_->busy()) return hub_->call_later(*this);
    Asked& front = requests_.front();
    if (!may_run(front)) {
      if (!fence_is_up()) return wait();
      raise(1);
    }
    if (hub_->delivered() < front.shown) return hub_->call_later(*this);
    Request request = std::move(front.request);
    requests_.pop_front();
    if (fencing_ > 0) --fencing_;
    std::visit([this](auto& asked) { run(std::move(asked)); }, request);
  }
}

void HubStream::raise(size_t count) {
  for (size_t i = 0; i < count; ++i) {
    requests_[i].fenced = true;
    requests_[i].shown = hub_->visible();
  }
}

void HubStream::wait() {
  if (waiting_) return;
  waiting_ = true;
  // The fence holds for what was asked before it was raised, and not for what comes meanwhile.
  fencing_ = hub_->serving() ? requests_.size() : 0;
  const auto needs = hub_->serving() ? ReadQueue::Needs::linearizable : ReadQueue::Needs::loaded;
  hub_->reads_.add(needs, lifetime_.guard([this](const Status& status) {
    waiting_ = false;
    const size_t fenced = std::exchange(fencing_, 0);
    if (hub_ == nullptr) return;
    if (!status.ok()) return refuse(status);
    raise(fenced);
    run_requests();
  }));
}

void HubStream::refuse(const Status& status) {
  // LIN-BOUND leaves alone what runs; everything else concerns the whole stream.
  if (status.error() != Error::linearizability_unavailable || watches_.empty()) {
    return close(status);
  }
  requests_.pop_front();
  const auto alive = lifetime_.watch();
  sink_.on_created(no_watch, hub_->delivered(), WatchRefusal::not_linearizable);
  if (!alive.expired()) run_requests();
}

WatchId HubStream::pick_id(WatchId asked) {
  if (asked != WatchId(0)) return watches_.contains(asked) ? no_watch : asked;
  while (watches_.contains(WatchId(next_id_))) ++next_id_;
  return WatchId(next_id_++);
}

void HubStream::run(WatchCreate create) {
  const Revision header = hub_->delivered();
  if (create.start_revision < Revision(0)) {
    return sink_.on_created(no_watch, header, WatchRefusal::compacted);
  }
  const State& state = hub_->state_;
  keyspace::KeyRange asked = create.range;
  if (planted(Planted::open_watch_unguarded) && is_open(asked)) asked.end.clear();
  const Status permitted = Gate(state, state.auth.visible(), create.caller).read(asked);
  if (!permitted.ok()) return sink_.on_created(no_watch, header, refusal_of(permitted));
  if (is_empty(create.range)) {
    return sink_.on_created(no_watch, header, WatchRefusal::empty_range);
  }
  keep_token(create.caller);
  const WatchId id = pick_id(create.id);
  if (id == no_watch) return sink_.on_created(no_watch, header, WatchRefusal::duplicate_id);
  const auto alive = lifetime_.watch();
  const bool ticks = create.progress_notify;
  // Registered before the client hears of it, but not fed: catching up begins in a later turn.
  hub_->add(*this, id, std::move(create), &watches_[id]);
  if (ticks) start_ticks();
  const auto token = watches_[id];
  sink_.on_created(id, header, WatchRefusal::none);
  if (alive.expired() || hub_ == nullptr) return;
  Watcher* watcher = hub_->find(token);
  if (watcher != nullptr && watcher->next < hub_->state_.keyspace.compact_revision()) {
    hub_->tell_compacted(*watcher);
  }
}

void HubStream::run(Cancel cancel) {
  const auto at = watches_.find(cancel.id);
  if (at == watches_.end()) return;
  hub_->remove(at->second);
  watches_.erase(at);
  sink_.on_canceled(cancel.id, hub_->delivered());
}

void HubStream::run(Progress) {
  if (watches_.empty()) return;
  for (const auto& [id, token] : watches_) {
    const Watcher* watcher = hub_->find(token);
    if (watcher->compacted) return;
    if (watcher->lagging && !planted(Planted::progress_is_head)) return;
    if (watcher->spec.start_revision > hub_->delivered()) return;
  }
  sink_.on_progress(no_watch, hub_->delivered());
}

bool HubStream::has_room() {
  if (planted(Planted::unbounded_queue)) return true;
  if (blocked_) return false;
  if (within_share() || !hub_->scarce()) return true;
  refused_ = true;
  hub_->refused_ = true;
  return false;
}

bool HubStream::within_share() const {
  return outstanding_ < hub_->state_.options.stream_share_bytes;
}

void HubStream::charge(size_t bytes) {
  outstanding_ += bytes;
  hub_->outstanding_ += bytes;
  if (planted(Planted::unbounded_queue)) return;
  if (outstanding_ >= hub_->state_.options.stream_bytes) blocked_ = true;
}

void HubStream::give_back(size_t bytes) {
  outstanding_ -= bytes;
  hub_->outstanding_ -= bytes;
  if (!hub_->refused_ || hub_->scarce()) return;
  hub_->refused_ = false;
  hub_->schedule_catch_up();
}

void HubStream::list_watches(std::vector<keyspace::WatcherToken>* tokens) const {
  for (const auto& [id, token] : watches_) tokens->push_back(token);
}

void HubStream::consumed(size_t bytes) {
  if (hub_ == nullptr) return;
  give_back(std::min(bytes, outstanding_));
  const bool unblocked = blocked_ && outstanding_ <= hub_->state_.options.stream_bytes / 2;
  if (!unblocked && !(refused_ && within_share())) return;
  if (unblocked) blocked_ = false;
  refused_ = false;
  hub_->schedule_catch_up();
}

void HubStream::close(const Status& status) {
  for (const auto& [id, token] : watches_) hub_->remove(token);
  watches_.clear();
  requests_.clear();
  tick_timer_.reset();
  token_timer_.reset();
  hub_->forget(*this);
  give_back(outstanding_);
  hub_ = nullptr;
  sink_.on_closed(status);
}

void HubStream::keep_token(const auth::CallerRef& caller) {
  if (caller == nullptr || caller->kind != auth::Caller::Kind::api_token) return;
  token_ = caller;
  if (token_timer_ != nullptr) return;
  const auth::ApiToken* shown = hub_->state_.auth.visible().token(*caller);
  if (shown == nullptr || shown->expires_seconds == 0) return;
  // Of the clock that saw the token only the time that was left counts here.
  const int64_t left = std::max<int64_t>(shown->expires_seconds - caller->seen_seconds, 0);
  const Duration delay = std::chrono::seconds(std::min(left, token_timer_seconds_max));
  token_timer_ = hub_->state_.environment.after(delay, [this, end = shown->expires_seconds] {
    token_timer_.reset();
    auth::Caller over = *token_;
    over.seen_seconds = end;
    token_ = std::make_shared<const auth::Caller>(std::move(over));
    check_token();
  });
}

void HubStream::check_token() {
  if (token_ == nullptr || hub_ == nullptr || planted(Planted::watch_outlives_token)) return;
  const State& state = hub_->state_;
  const Status good = Gate(state, state.auth.visible(), token_).token();
  if (!good.ok()) close(good);
}

void HubStream::start_ticks() {
  if (tick_timer_ != nullptr) return;
  const Duration interval = hub_->state_.options.progress_interval;
  tick_timer_ = hub_->state_.environment.after(interval + hub_->state_.random.jitter(interval / 10),
                                               [this] { tick(); });
}

void HubStream::tick() {
  tick_timer_.reset();
  const auto alive = lifetime_.watch();
  const Revision delivered = hub_->delivered();
  std::vector<WatchId> due;
  for (const auto& [id, token] : watches_) {
    Watcher* watcher = hub_->find(token);
    if (!watcher->spec.progress_notify || watcher->compacted) continue;
    const bool quiet = !std::exchange(watcher->sent, false);
    const bool synced = !watcher->lagging || planted(Planted::progress_is_head);
    // While a round is under way it may have been given more than others have.
    const bool ahead = watcher->next > delivered + 1 || watcher->spec.start_revision > delivered;
    if (quiet && synced && !ahead) due.push_back(id);
  }
  start_ticks();
  for (const WatchId id : due) {
    if (alive.expired() || hub_ == nullptr) return;
    if (watches_.contains(id)) sink_.on_progress(id, delivered);
  }
}

}  // namespace lattice::replica
