#include "server/tenant_manager.h"

#include <algorithm>
#include <set>
#include <utility>

#include "server/own_limits.h"

namespace lattice::server {
namespace {

constexpr Duration look_interval = std::chrono::milliseconds(500);
// Longer than a session outlives its process, and the takeover after it: until then a tenant that
// is being loaded keeps its callers waiting rather than telling them that nobody leads.
constexpr Duration load_patience = std::chrono::seconds(3);
// Every process has seen the removal by then, or is not there: where several share a database.
constexpr Duration removal_patience = std::chrono::seconds(30);
constexpr Duration idle_look_interval_max = std::chrono::seconds(10);

}  // namespace

TenantManager::TenantManager(Parts parts, OpenedLog default_log)
    : parts_(std::move(parts)),
      default_name_(parts_.config.tenants.default_tenant),
      limits_(parts_.limits) {
  if (default_log.sessions != nullptr) {
    session_ = std::make_unique<replica::SessionKeeper>(
        owner().environment(), parts_.options, *default_log.sessions, [this](const Status& status) {
          log().warn("the session in the database could not be renewed", {{"cause", status}});
        });
  }
  default_ = std::make_unique<RunningTenant>(parts_of(default_name_, {}, std::move(default_log)),
                                             parts_.telemetry, parts_.links, parts_.workers);
  for (auto& each : parts_.workers) {
    Worker& worker = *each;
    worker.loop().post([this, &worker] {
      worker.tenants().on_wanted([this](const std::string& name) {
        // Through the mailbox on the owner's loop, too: callers are called back later.
        owner().loop().post([this, name] { want(name); });
      });
    });
  }
}

void TenantManager::start() {
  parts_.store.directory().list([this](const Result<backends::TenantList>& list) {
    if (stopping_) return;
    if (!list.ok()) {
      log().warn("cannot read the list of tenants; trying again", {{"cause", list.status()}});
      look_timer_ = owner().loop().after(look_interval, [this] { start(); });
      return;
    }
    for (const backends::TenantRow& row : list->tenants) {
      if (row.name == default_name_) default_own_limits_ = row.limits;
    }
    default_->set_limits(limits_for(default_name_, default_own_limits_));
    if (session_ != nullptr) session_->start();
    default_->start();
    default_->publish();
    create_missing(0);
  });
}

void TenantManager::upkeep() {
  default_->report();
  for (auto& [name, entry] : entries_) {
    if (entry.running != nullptr) entry.running->report();
  }
}

void TenantManager::set_limits(const TenantLimits& limits) {
  if (limits == limits_) return;
  limits_ = limits;
  default_->set_limits(limits_for(default_name_, default_own_limits_));
  for (auto& [name, entry] : entries_) apply_limits(entry);
}

RunningTenant::Parts TenantManager::parts_of(std::string name,
                                             const backends::TenantLimitValues& own,
                                             OpenedLog opened) {
  RunningTenant::Parts parts;
  parts.is_default = name == default_name_;
  parts.name = std::move(name);
  parts.options = parts_.options;
  parts.limits = limits_for(parts.name, own);
  parts.opened = std::move(opened);
  parts.session = session_.get();
  return parts;
}

SharedLimits TenantManager::limits_for(const std::string& name,
                                       backends::TenantLimitValues own) const {
  for (const auto& [limit, value] : control::limits_of(*documents_, name)) {
    own.insert_or_assign(limit, value);
  }
  return std::make_shared<TenantLimits>(with_own_limits(limits_, own));
}

void TenantManager::set_documents(std::shared_ptr<const control::Documents> documents) {
  if (stopping_) return;
  const auto before = std::exchange(documents_, std::move(documents));
  const auto changed = [&](const std::string& name) {
    return control::limits_of(*before, name) != control::limits_of(*documents_, name);
  };
  if (changed(default_name_)) default_->set_limits(limits_for(default_name_, default_own_limits_));
  for (auto& [name, entry] : entries_) {
    if (changed(name)) apply_limits(entry);
  }
  auto certificates = std::make_shared<CertificateTenants>();
  std::set<std::string, std::less<>> inactive;
  for (const auto& [name, manifest] : documents_->tenants) {
    if (!manifest.active) inactive.insert(name);
    for (const std::string& identity : manifest.identities) {
      (*certificates)[identity].push_back(name);
    }
  }
  if (inactive != inactive_) {
    inactive_ = std::move(inactive);
    version_ = -1;  // the list is read again
  }
  for (auto& each : parts_.workers) {
    Worker& worker = *each;
    worker.loop().post(
        [&worker, map = std::shared_ptr<const CertificateTenants>(certificates)]() mutable {
          worker.tenants().set_certificates(std::move(map));
        });
  }
}

void TenantManager::apply_limits(Entry& entry) {
  if (entry.running == nullptr || entry.closing) return;
  log().debug("the tenant has other limits", {{"tenant", entry.row.name}});
  entry.running->set_limits(limits_for(entry.row.name, entry.row.limits));
}

// ---- The list ----

void TenantManager::create_missing(size_t next) {
  const std::vector<std::string>& names = parts_.config.tenants.create;
  if (stopping_) return;
  if (next == names.size()) return look();
  parts_.store.directory().create(names[next], {}, [this, next](const Status& status) {
    if (!status.ok() && status.error() != Error::tenant_exists) {
      log().warn("cannot create a tenant of [tenants] create; trying again",
                 {{"tenant", parts_.config.tenants.create[next]}, {"cause", status}});
      look_timer_ = owner().loop().after(look_interval, [this, next] { create_missing(next); });
      return;
    }
    if (status.ok()) {
      log().info("tenant created", {{"tenant", parts_.config.tenants.create[next]}});
    }
    create_missing(next + 1);
  });
}

void TenantManager::look_later() {
  if (!stopping_) look_timer_ = owner().loop().after(look_interval, [this] { look(); });
}

void TenantManager::look() {
  parts_.store.directory().version([this](const Result<int64_t>& version) {
    if (stopping_) return;
    unload_idle();
    sweep_doomed();
    // The database's trouble is told by others.
    if (!version.ok() || *version == version_) return look_later();
    parts_.store.directory().list([this](const Result<backends::TenantList>& list) {
      if (stopping_) return;
      if (list.ok()) take(*list);
      look_later();
    });
  });
}

void TenantManager::take(const backends::TenantList& list) {
  version_ = list.version;
  for (auto& [name, entry] : entries_) entry.listed = false;
  const bool default_was_listed = std::exchange(default_listed_, false);
  std::set<int64_t> doomed;
  for (const backends::TenantRow& row : list.tenants) {
    if (row.state == backends::TenantState::removing) {
      doomed.insert(row.log_no);
      doomed_.try_emplace(row.log_no, Doomed{now()});
    } else if (row.name == default_name_) {
      default_listed_ = true;
      if (row.limits == default_own_limits_) continue;
      default_own_limits_ = row.limits;
      log().info("the tenant has other limits", {{"tenant", row.name}});
      default_->set_limits(limits_for(default_name_, default_own_limits_));
    } else if (!inactive_.contains(row.name)) {
      Entry& entry = entries_[row.name];
      // Removed and created again: what is loaded is the old one.
      if (entry.running != nullptr && entry.row.log_no != row.log_no && !entry.closing) {
        entry.row = row;
        close(entry, /*now=*/true);
      }
      const bool limits_changed = entry.row.limits != row.limits;
      entry.row = row;
      entry.listed = true;
      if (limits_changed) apply_limits(entry);
    }
  }
  std::erase_if(doomed_, [&](const auto& each) { return !doomed.contains(each.first); });
  publish_names();
  for (auto it = entries_.begin(); it != entries_.end();) {
    Entry& entry = (it++)->second;
    if (entry.listed) continue;
    if (entry.running == nullptr) {
      entries_.erase(entry.row.name);
    } else if (!entry.closing) {
      log().info(inactive_.contains(entry.row.name) ? "tenant not active" : "tenant removed",
                 {{"tenant", entry.row.name}});
      close(entry, /*now=*/true);
    }
  }
  if (default_was_listed && !default_listed_) {
    log().error("the default tenant was removed from the database; nothing of it is served",
                {{"tenant", default_name_}});
    for (auto& each : parts_.workers) {
      Worker& worker = *each;
      worker.loop().post([&worker, name = default_name_] { worker.tenants().retire(name, [] {}); });
    }
  }
  parts_.telemetry.tenants.known.set(
      static_cast<double>(entries_.size() + (default_listed_ ? 1 : 0)));
}

void TenantManager::publish_names() {
  auto names = std::make_shared<TenantNames>();
  names->reserve(entries_.size() + 1);
  for (const auto& [name, entry] : entries_) {
    if (entry.listed) names->insert(name);
  }
  if (default_listed_) names->insert(default_name_);
  for (auto& each : parts_.workers) {
    Worker& worker = *each;
    worker.loop().post([&worker, names = std::shared_ptr<const TenantNames>(names)]() mutable {
      worker.tenants().set_names(std::move(names));
    });
  }
}

// ---- Loading ----

void TenantManager::want(const std::string& name) {
  if (stopping_) return refuse(name, Error::stopped);
  const auto found = entries_.find(name);
  if (found == entries_.end() || !found->second.listed) {
    return refuse(name, Status(Error::tenant_unknown, "tenant \"" + name + "\" is not known here"));
  }
  Entry& entry = found->second;
  if (entry.closing) {
    entry.wanted = true;
  } else if (entry.running == nullptr) {
    const Status status = parts_.store.reachable();
    status.ok() ? load(entry) : refuse(name, status);
  }
}

void TenantManager::load(Entry& entry) {
  const std::string name = entry.row.name;
  log().debug("loading a tenant", {{"tenant", name}});
  entry.running = std::make_unique<RunningTenant>(
      parts_of(name, entry.row.limits, parts_.store.open_listed(entry.row)), parts_.telemetry,
      parts_.links, parts_.workers);
  RunningTenant* const running = entry.running.get();
  // Those that come before somebody leads wait for it here.
  const auto ready = [this, name, running] {
    owner().loop().defer([this, name, running] { publish(name, running); });
  };
  running->observer().on_role([ready](bool) { ready(); });
  running->observer().on_unusable([ready](const Status&) { ready(); });
  entry.patience = owner().loop().after(load_patience, ready);
  parts_.telemetry.tenants.loaded.add(1);
  running->start();
}

void TenantManager::publish(const std::string& name, const RunningTenant* running) {
  const auto found = entries_.find(name);
  if (found == entries_.end() || found->second.running.get() != running) return;
  Entry& entry = found->second;
  entry.patience.reset();
  if (!entry.closing && !entry.running->published()) entry.running->publish();
}

void TenantManager::refuse(const std::string& name, const Status& why) {
  for (auto& each : parts_.workers) {
    Worker& worker = *each;
    worker.loop().post([&worker, name, why] { worker.tenants().fail(name, why); });
  }
}

// ---- Unloading ----

void TenantManager::unload_idle() {
  const Duration idle = parts_.config.tenants.idle_stop;
  if (idle.count() == 0) return;
  if (now() - unloaded_at_ < std::min(idle / 4, idle_look_interval_max)) return;
  unloaded_at_ = now();
  for (auto& [name, entry] : entries_) {
    if (entry.running == nullptr || entry.closing || !entry.running->published()) continue;
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
    entries_.erase(name);
    if (wanted) want(name);  // which refuses it
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
  if (!default_->published()) return owner().loop().defer(std::move(done));  // nothing has begun
  on_stopped_ = std::move(done);
  const auto stopped = [this] {
    if (--stops_missing_ > 0) return;
    const auto finish = [this](const Status& = {}) {
      owner().loop().defer([this] { std::exchange(on_stopped_, {})(); });
    };
    // What no replica could hand over by itself is free with this.
    session_ == nullptr ? finish() : session_->release(finish);
  };
  std::vector<RunningTenant*> running = {default_.get()};
  for (auto& [name, entry] : entries_) {
    entry.patience.reset();
    // One that is closing stops by itself, and waits only for its calls.
    if (entry.running != nullptr && !entry.closing) running.push_back(entry.running.get());
  }
  stops_missing_ = running.size();
  for (RunningTenant* each : running) {
    each->stop([stopped](const Status&) { stopped(); });
  }
}

}  // namespace lattice::server
