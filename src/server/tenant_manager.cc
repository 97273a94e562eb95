// The list of one database's tenants, and what follows from it; tenant_loading.cc has what comes
// into memory and goes.
#include "server/tenant_manager.h"

#include <algorithm>
#include <set>
#include <utility>

#include "server/own_limits.h"

namespace lattice::server {
namespace {

constexpr Duration tenants_look_interval = std::chrono::milliseconds(500);
// While a tenant moves: its callers wait for the next step.
constexpr Duration moving_look_interval = std::chrono::milliseconds(20);

}  // namespace

TenantManager::TenantManager(Parts parts, std::optional<OpenedLog> default_log)
    : parts_(std::move(parts)),
      default_name_(default_log ? parts_.config.tenants.default_tenant : ""),
      limits_(parts_.limits) {
  replica::Sessions* const sessions =
      default_log ? default_log->sessions : parts_.store.without_log().sessions;
  if (sessions != nullptr) {
    session_ = std::make_unique<replica::SessionKeeper>(
        owner().environment(), parts_.options, *sessions, [this](const Status& status) {
          log().warn("the session in the database could not be renewed", {{"cause", status}});
        });
  }
  if (!default_log) return;
  default_ = std::make_unique<RunningTenant>(parts_of(default_name_, {}, std::move(*default_log)),
                                             parts_.telemetry, parts_.links, parts_.workers);
}

TenantManager::~TenantManager() = default;

void TenantManager::start() {
  parts_.store.directory().list([this](const Result<backends::TenantList>& list) {
    if (stopping_) return;
    if (!list.ok()) {
      log().warn("cannot read the list of tenants; trying again", {{"cause", list.status()}});
      look_timer_ = owner().loop().after(tenants_look_interval, [this] { start(); });
      return;
    }
    if (session_ != nullptr) session_->start();
    if (default_ == nullptr) return take(*list), look_later();
    for (const backends::TenantRow& row : list->tenants) {
      if (row.name == default_name_) default_own_limits_ = row.limits;
    }
    apply_default_limits();
    default_->start();
    default_->publish();
    create_missing(0);
  });
}

void TenantManager::upkeep() {
  if (default_ != nullptr) default_->report();
  for (auto& [name, entry] : entries_) {
    if (entry.running != nullptr) entry.running->report();
  }
}

void TenantManager::set_limits(const TenantLimits& limits) {
  if (limits == limits_) return;
  limits_ = limits;
  apply_default_limits();
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
  if (default_ != nullptr && changed(default_name_)) apply_default_limits();
  for (auto& [name, entry] : entries_) {
    if (changed(name)) apply_limits(entry);
  }
}

void TenantManager::apply_limits(Entry& entry) {
  if (entry.running == nullptr || entry.closing) return;
  log().debug("the tenant has other limits", {{"tenant", entry.row.name}});
  entry.running->set_limits(limits_for(entry.row.name, entry.row.limits));
}

void TenantManager::apply_default_limits() {
  if (default_ != nullptr) default_->set_limits(limits_for(default_name_, default_own_limits_));
}

// ---- The list ----

void TenantManager::create_missing(size_t next) {
  const std::vector<std::string>& names = parts_.config.tenants.create;
  if (stopping_) return;
  if (next == names.size()) return look();
  // It may be in a database that was not reached yet.
  if (!parts_.catalog.complete_but(*this) || parts_.catalog.knows(names[next])) {
    create_later_ = create_later_ || !parts_.catalog.complete_but(*this);
    return create_missing(next + 1);
  }
  parts_.store.directory().create(names[next], {}, [this, next](const Status& status) {
    if (!status.ok() && status.error() != Error::tenant_exists) {
      log().warn("cannot create a tenant of [tenants] create; trying again",
                 {{"tenant", parts_.config.tenants.create[next]}, {"cause", status}});
      look_timer_ =
          owner().loop().after(tenants_look_interval, [this, next] { create_missing(next); });
      return;
    }
    if (status.ok()) {
      log().info("tenant created", {{"tenant", parts_.config.tenants.create[next]}});
    }
    create_missing(next + 1);
  });
}

void TenantManager::look_later() {
  if (stopping_) return;
  look_timer_ =
      owner().loop().after(on_the_move_ ? moving_look_interval : tenants_look_interval, [this] {
        if (create_later_ && parts_.catalog.complete_but(*this)) {
          create_later_ = false;
          return create_missing(0);
        }
        look();
      });
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
  rows_.clear();
  on_the_move_ = false;
  std::set<int64_t> doomed;
  for (const backends::TenantRow& row : list.tenants) {
    switch (row.state) {
      case backends::TenantState::removing:
        doomed.insert(row.log_no);
        doomed_.try_emplace(row.log_no, Doomed{now()});
        break;
      case backends::TenantState::moved:
        break;
      case backends::TenantState::moving:
      case backends::TenantState::sealing:
      case backends::TenantState::arriving:
        on_the_move_ = true;
        [[fallthrough]];
      case backends::TenantState::active:
        rows_[row.name] = row;
    }
  }
  std::erase_if(doomed_, [&](const auto& each) { return !doomed.contains(each.first); });
  parts_.catalog.set_list(*this, list.tenants);
}

void TenantManager::keep_only(const TenantNameSet& names) {
  for (auto it = entries_.begin(); it != entries_.end();) {
    const std::string& name = it->first;
    Entry& current = (it++)->second;
    if (names.contains(name) || current.preparing) continue;
    current.listed = false;
    if (current.running == nullptr) {
      entries_.erase(current.row.name);
    } else if (!current.closing) {
      log().info(parts_.catalog.inactive(name) ? "tenant not active"
                 : rows_.contains(name)        ? "tenant not served from here any more"
                                               : "tenant removed",
                 {{"tenant", name}});
      close(current, /*now=*/true);
    }
  }
  if (default_ != nullptr && std::exchange(default_listed_, names.contains(default_name_)) &&
      !default_listed_) {
    retire_default();
  }
}

void TenantManager::retire_default() {
  log().error("the default tenant was removed from the database; nothing of it is served",
              {{"tenant", default_name_}});
  for (auto& each : parts_.workers) {
    Worker& worker = *each;
    worker.loop().post([&worker, name = default_name_] { worker.tenants().retire(name, [] {}); });
  }
}

void TenantManager::serve(const TenantNameSet& names) {
  for (const std::string& name : names) {
    const backends::TenantRow& row = rows_.find(name)->second;
    name == default_name_ ? take_default(row) : take_row(entries_[name], row);
  }
}

void TenantManager::take_default(const backends::TenantRow& row) {
  if (row.limits == default_own_limits_) return;
  default_own_limits_ = row.limits;
  log().info("the tenant has other limits", {{"tenant", row.name}});
  apply_default_limits();
}

void TenantManager::take_row(Entry& entry, const backends::TenantRow& row) {
  const bool limits_changed = entry.row.limits != row.limits;
  // Removed and created again: what is loaded is the old one.
  const bool replaced = entry.running != nullptr && entry.row.log_no != row.log_no;
  // Of a copy that was loaded to be served now: some of it was deleted since.
  const bool stale = entry.preparing && entry.row.routing_epoch != row.routing_epoch;
  entry.row = row;
  entry.listed = true;
  if (entry.closing) return;
  if (replaced) return close(entry, /*now=*/true);
  if (limits_changed) apply_limits(entry);
  if (entry.running == nullptr) {
    // The move was given up while somebody waited.
    if (entry.hold_timer == nullptr || row.state == backends::TenantState::sealing) return;
    entry.hold_timer.reset();
    return load(entry);
  }
  if (std::exchange(entry.preparing, false)) {
    if (!stale) return open(entry);
    entry.wanted = true;
    return close(entry, /*now=*/true);
  }
  if (row.state == backends::TenantState::sealing) return seal_later(entry, Duration{});
  // The move was given up.
  if (entry.running->withdrawn()) {
    entry.wanted = true;
    close(entry, /*now=*/true);
  }
}

}  // namespace lattice::server
