// Tenants that move to or from this database while they are in use (docs/decisions/0020): the
// command copies, this process ends the old log and begins with the new one.
#include <utility>

#include "server/tenant_manager.h"

namespace lattice::server {
namespace {

// Every process that shares the database has seen by then that the log is to be sealed, and lets
// new requests wait; what it has begun is answered meanwhile.
constexpr Duration seal_notice = std::chrono::milliseconds(100);
constexpr Duration seal_retry = std::chrono::milliseconds(50);
// As long as a request may wait for anything.
constexpr Duration hold_max = std::chrono::seconds(7);
constexpr Duration moved_patience = std::chrono::seconds(3);

}  // namespace

void TenantManager::seal_later(Entry& entry, Duration delay) {
  if (entry.seal_timer != nullptr) return;
  if (!entry.running->withdrawn()) {
    log().info("the tenant moves to another backend: requests wait",
               {{"tenant", entry.row.name}, {"backend", entry.row.other_backend}});
    entry.running->withdraw();
    hold(entry);
    delay = seal_notice;
  }
  entry.seal_timer = owner().loop().after(delay, [this, name = entry.row.name] { seal(name); });
}

void TenantManager::seal(const std::string& name) {
  Entry& entry = entries_.find(name)->second;
  const RunningTenant* const running = entry.running.get();
  const replica::Seal seal{entry.row.other_backend, entry.row.routing_epoch};
  entry.running->replica().seal(seal, [this, name, running](const Status& status) {
    const auto found = entries_.find(name);
    if (stopping_ || found == entries_.end() || found->second.running.get() != running) return;
    Entry& sealed = found->second;
    if (sealed.closing || sealed.row.state != backends::TenantState::sealing) return;
    sealed.seal_timer.reset();
    if (status.ok()) return log().info("the tenant's log is sealed", {{"tenant", name}});
    // Another process leads, or nobody does yet.
    seal_later(sealed, seal_retry);
  });
}

void TenantManager::hold(Entry& entry) {
  if (entry.hold_timer != nullptr) return;
  entry.hold_timer = owner().loop().after(hold_max, [this, name = entry.row.name] {
    Entry& held = entries_.find(name)->second;
    held.hold_timer.reset();
    parts_.catalog.refuse(name, Status(Error::backend_unavailable,
                                       "tenant \"" + name + "\" is being moved to backend \"" +
                                           held.row.other_backend + "\""));
  });
}

void TenantManager::prepare(const TenantNameSet& names) {
  for (const std::string& name : names) {
    Entry& entry = entries_[name];
    if (entry.running != nullptr) continue;
    entry.row = rows_.find(name)->second;
    entry.preparing = true;
    log().info("loading the copy of a tenant that moves to this backend", {{"tenant", name}});
    load(entry);
  }
  for (auto& [name, entry] : entries_) {
    if (!entry.preparing || names.contains(name) || entry.closing) continue;
    entry.preparing = false;
    close(entry, /*now=*/true);
  }
}

void TenantManager::open(Entry& entry) {
  const std::string name = entry.row.name;
  RunningTenant* const running = entry.running.get();
  if (running->replica().failed()) {
    // It was read while it was not whole.
    entry.wanted = true;
    return close(entry, /*now=*/true);
  }
  log().info("the tenant has moved to this backend", {{"tenant", name}});
  entry.patience =
      owner().loop().after(moved_patience, [this, name, running] { publish(name, running); });
  running->replica().open();
}

}  // namespace lattice::server
