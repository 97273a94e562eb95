// Tenants that come into memory, and go.
#include <algorithm>
#include <utility>

#include "server/tenant_manager.h"

namespace lattice::server {
namespace {

// Longer than a session outlives its process, and the takeover after it: until then a tenant that
// is being loaded keeps its callers waiting rather than telling them that nobody leads.
constexpr Duration load_patience = std::chrono::seconds(3);
// Every process has seen the removal by then, or is not there: where several share a database.
constexpr Duration removal_patience = std::chrono::seconds(30);
constexpr Duration idle_look_interval_max = std::chrono::seconds(10);

}  // namespace

// ---- Loading ----

void TenantManager::want(const std::string& name) {
  if (stopping_) return parts_.catalog.refuse(name, Error::stopped);
  const auto found = entries_.find(name);
  if (found == entries_.end()) return;  // the default tenant: it is being loaded
  Entry& entry = found->second;
  if (entry.closing) {
    entry.wanted = true;
  } else if (entry.row.state == backends::TenantState::sealing) {
    hold(entry);  // until it is known where it goes on
  } else if (entry.running == nullptr) {
    const Status status = parts_.store.reachable();
    status.ok() ? load(entry) : parts_.catalog.refuse(name, status);
  }
}

void TenantManager::load(Entry& entry) {
  const std::string name = entry.row.name;
  log().debug("loading a tenant", {{"tenant", name}});
  RunningTenant::Parts parts =
      parts_of(name, entry.row.limits, parts_.store.open_listed(entry.row));
  parts.options.arriving = entry.preparing;
  entry.running = std::make_unique<RunningTenant>(std::move(parts), parts_.telemetry, parts_.links,
                                                  parts_.workers);
  RunningTenant* const running = entry.running.get();
  // Those that come before somebody leads wait for it here.
  const auto ready = [this, name, running] {
    owner().loop().defer([this, name, running] { publish(name, running); });
  };
  running->observer().on_role([ready](bool) { ready(); });
  running->observer().on_unusable([ready](const Status&) { ready(); });
  if (!entry.preparing) entry.patience = owner().loop().after(load_patience, ready);
  parts_.telemetry.tenants.loaded.add(1);
  running->start();
}

void TenantManager::publish(const std::string& name, const RunningTenant* running) {
  const auto found = entries_.find(name);
  if (found == entries_.end() || found->second.running.get() != running) return;
  Entry& entry = found->second;
  entry.patience.reset();
  if (entry.closing || entry.preparing) return;
  if (entry.running->published() || entry.running->withdrawn()) return;
  entry.running->publish();
}

bool TenantManager::in_use(const std::string& name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return false;
  return found->second.running != nullptr || found->second.hold_timer != nullptr;
}

// ---- Unloading ----

void TenantManager::unload_idle() {
  const Duration idle = parts_.config.tenants.idle_stop;
  if (idle.count() == 0) return;
  if (now() - unloaded_at_ < std::min(idle / 4, idle_look_interval_max)) return;
  unloaded_at_ = now();
  for (auto& [name, entry] : entries_) {
    if (entry.running == nullptr || entry.closing || !entry.running->published()) continue;
    if (entry.running->withdrawn()) continue;
    const RunningTenant* const running = entry.running.get();
    entry.running->when_idle_since(now() - idle, [this, name = name, running](bool is_idle) {
      const auto found = entries_.find(name);
      if (!is_idle || stopping_ || found == entries_.end()) return;
      Entry& candidate = found->second;
      if (candidate.running.get() != running || candidate.closing) return;
      log().debug("unloading an idle tenant", {{"tenant", name}});
      close(candidate, /*now=*/false);
    });
  }
}

void TenantManager::close(Entry& entry, bool now) {
  entry.closing = true;
  entry.patience.reset();
  entry.seal_timer.reset();
  entry.hold_timer.reset();
  entry.running->close(
      now, [this, name = entry.row.name](const Status& status) { on_closed(name, status); });
}

void TenantManager::on_closed(const std::string& name, const Status& status) {
  Entry& entry = entries_.find(name)->second;
  entry.running.reset();
  entry.closing = false;
  parts_.telemetry.tenants.loaded.add(-1);
  if (stopping_) return;
  const bool wanted = std::exchange(entry.wanted, false);
  if (!entry.listed) {
    const std::string gone = name;
    entries_.erase(name);
    if (wanted) parts_.catalog.want(gone);  // which knows where it is, or refuses it
  } else if (wanted || !status.ok()) {
    // Others wait for a leader that this process's session still names: it leads until it can say
    // that it does not.
    load(entry);
  }
}

void TenantManager::sweep_doomed() {
  if (sweeping_) return;
  const auto due = [&](const auto& each) {
    return !each.second.swept &&
           (session_ == nullptr || now() - each.second.seen >= removal_patience);
  };
  const auto next = std::ranges::find_if(doomed_, due);
  if (next == doomed_.end()) return;
  const int64_t log_no = next->first;
  // An embedded log is swept once its replica is gone.
  const bool served = std::ranges::any_of(entries_, [](const auto& each) {
    return each.second.closing || (each.second.running != nullptr && !each.second.listed);
  });
  if (served) return;
  sweeping_ = true;
  sweep(log_no);
}

void TenantManager::sweep(int64_t log_no) {
  parts_.store.directory().sweep(log_no, [this, log_no](const Result<bool>& more) {
    if (stopping_) return;
    if (more.ok() && *more) return sweep(log_no);
    sweeping_ = false;
    if (!more.ok()) {
      log().warn("cannot delete a removed tenant's data; trying again",
                 {{"log", log_no}, {"cause", more.status()}});
      return;
    }
    doomed_[log_no].swept = true;
    log().info("a removed tenant's data is deleted", {{"log", log_no}});
  });
}

// ---- The end ----

void TenantManager::stop(loop::Task done) {
  stopping_ = true;
  look_timer_.reset();
  // Nothing has begun.
  if (default_ != nullptr && !default_->published()) return owner().loop().defer(std::move(done));
  on_stopped_ = std::move(done);
  const auto stopped = [this] {
    if (--stops_missing_ > 0) return;
    const auto finish = [this](const Status& = {}) {
      owner().loop().defer([this] { std::exchange(on_stopped_, {})(); });
    };
    // What no replica could hand over by itself is free with this.
    session_ == nullptr ? finish() : session_->release(finish);
  };
  std::vector<RunningTenant*> running;
  if (default_ != nullptr) running.push_back(default_.get());
  for (auto& [name, entry] : entries_) {
    entry.patience.reset();
    entry.seal_timer.reset();
    entry.hold_timer.reset();
    // One that is closing stops by itself, and waits only for its calls.
    if (entry.running != nullptr && !entry.closing) running.push_back(entry.running.get());
  }
  stops_missing_ = running.size() + 1;
  stopped();
  for (RunningTenant* each : running) {
    each->stop([stopped](const Status&) { stopped(); });
  }
}

}  // namespace lattice::server
