#include "server/tenant_catalog.h"

#include <algorithm>
#include <utility>

namespace lattice::server {
namespace {

using backends::TenantRow;
using backends::TenantState;

// As long as a request may wait for anything.
constexpr Duration transit_max = std::chrono::seconds(7);

bool is_source(const TenantRow& row) {
  return row.state == TenantState::moving || row.state == TenantState::sealing;
}

Status not_available(std::string text) { return {Error::backend_unavailable, std::move(text)}; }

}  // namespace

TenantCatalog::TenantCatalog(Workers& workers, SharedTelemetry& telemetry)
    : workers_(workers), telemetry_(telemetry) {
  for (auto& each : workers_) {
    Worker& worker = *each;
    worker.loop().post([this, &worker] {
      worker.tenants().on_wanted([this](const std::string& name) {
        // Through the mailbox on the owner's loop, too: callers are called back later.
        workers_.front()->loop().post([this, name] { want(name); });
      });
    });
  }
}

void TenantCatalog::expect(const std::string& backend) {
  members_.push_back(std::make_unique<Member>(Member{backend, nullptr, false, {}}));
}

void TenantCatalog::add(const std::string& backend, Database& database) {
  const auto expected = std::ranges::find_if(
      members_, [&](const auto& member) { return member->backend == backend; });
  if (expected != members_.end()) {
    (*expected)->database = &database;
  } else {
    members_.push_back(std::make_unique<Member>(Member{backend, &database, false, {}}));
  }
}

bool TenantCatalog::complete_but(const Database& database) const {
  return std::ranges::all_of(members_, [&](const auto& member) {
    return member->listed || member->database == &database;
  });
}

void TenantCatalog::set_list(const Database& database, std::vector<TenantRow> rows) {
  const auto its = std::ranges::find_if(
      members_, [&](const auto& member) { return member->database == &database; });
  (*its)->listed = true;
  (*its)->rows = std::move(rows);
  decide();
}

void TenantCatalog::set_documents(std::shared_ptr<const control::Documents> documents) {
  documents_ = std::move(documents);
  auto certificates = std::make_shared<CertificateTenants>();
  inactive_.clear();
  for (const auto& [name, manifest] : documents_->tenants) {
    if (!manifest.active) inactive_.insert(name);
    for (const std::string& identity : manifest.identities) {
      (*certificates)[identity].push_back(name);
    }
  }
  for (auto& each : workers_) {
    Worker& worker = *each;
    worker.loop().post(
        [&worker, map = std::shared_ptr<const CertificateTenants>(certificates)]() mutable {
          worker.tenants().set_certificates(std::move(map));
        });
  }
  decide();
}

void TenantCatalog::decide() {
  if (stopping_) return;
  std::map<std::string, std::vector<Claim>, std::less<>> claims;
  for (const auto& member : members_) {
    for (const TenantRow& row : member->rows) {
      if (row.state == TenantState::removing || is_stale_tombstone(row)) continue;
      const std::string name(row.plain_name());
      if (!inactive_.contains(name)) claims[name].push_back({member.get(), &row});
    }
  }
  names_.clear();
  const auto places_before = std::exchange(places_, {});
  Decision decision;
  for (const auto& [name, its_claims] : claims) decide(name, its_claims, &decision);
  // By what is in use before anything is closed.
  for (const auto& [name, member] : places_before) {
    const auto now = places_.find(name);
    const bool stays = now != places_.end() && now->second == member;
    if (!stays && member->database->in_use(name)) awaited_.insert(name);
  }
  tell_refusals(std::move(decision.refused));
  publish();
  // Of one whose list was not read nobody knows what it serves.
  for (const auto& member : members_) {
    if (member->listed) member->database->keep_only(decision.serving[member.get()]);
  }
  for (const auto& member : members_) {
    if (!member->listed) continue;
    member->database->serve(decision.serving[member.get()]);
    member->database->prepare(decision.preparing[member.get()]);
  }
  settle_awaited(decision.in_transit);
}

void TenantCatalog::decide(const std::string& name, const std::vector<Claim>& claims,
                           Decision* decision) {
  names_.insert(name);
  if (has_left(claims)) {
    decision->in_transit.insert(name);
    Member* const member = claims.front().member;
    if (member->database->in_use(name)) decision->preparing[member].insert(name);
    return;
  }
  Place place = place_of(name, claims);
  if (place.member == nullptr) {
    decision->refused.emplace(name, std::move(place.refusal));
    return;
  }
  places_[name] = place.member;
  decision->serving[place.member].insert(name);
  if (!is_source(*place.row) || !place.member->database->in_use(name)) return;
  for (const Claim& claim : claims) {
    if (claim.row->state == TenantState::arriving) decision->preparing[claim.member].insert(name);
  }
}

// The new log is opened before the old one becomes a tombstone, so a copy that still arrives beside
// a tombstone is a list that was read too early: the next one has it.
bool TenantCatalog::has_left(const std::vector<Claim>& claims) const {
  if (claims.size() != 1 || claims.front().row->state != TenantState::arriving) return false;
  const Claim& copy = claims.front();
  return std::ranges::any_of(members_, [&](const auto& member) {
    return std::ranges::any_of(member->rows, [&](const TenantRow& row) {
      return row.state == TenantState::moved && row.plain_name() == copy.row->plain_name() &&
             row.other_backend == copy.member->backend &&
             member->backend == copy.row->other_backend;
    });
  });
}

// Whoever used a tenant that is not where it was goes on where it is, or is told that it is gone.
void TenantCatalog::settle_awaited(const TenantNameSet& in_transit) {
  for (const std::string& name : std::exchange(awaited_, {})) {
    in_transit.contains(name) ? void(awaited_.insert(name)) : want(name);
  }
  awaited_.empty() ? transit_timer_.reset() : await_lists();
}

void TenantCatalog::await_lists() {
  if (transit_timer_ != nullptr) return;
  transit_timer_ = workers_.front()->loop().after(transit_max, [this] {
    transit_timer_.reset();
    for (const std::string& name : std::exchange(awaited_, {})) {
      refuse(name, not_available("tenant \"" + name + "\" is between two backends"));
    }
  });
}

// Of a tenant that went to a database whose list is known: that says what became of it.
bool TenantCatalog::is_stale_tombstone(const TenantRow& row) const {
  return row.state == TenantState::moved && std::ranges::any_of(members_, [&](const auto& member) {
           return member->listed && member->backend == row.other_backend;
         });
}

TenantCatalog::Place TenantCatalog::place_of(const std::string& name,
                                             const std::vector<Claim>& claims) const {
  const auto with = [&](auto condition) {
    std::vector<Claim> found;
    for (const Claim& claim : claims) {
      if (condition(*claim.row)) found.push_back(claim);
    }
    return found;
  };
  const auto active = with([](const TenantRow& row) { return row.state == TenantState::active; });
  const auto sources = with(is_source);
  // The copy is opened behind the seal: who is active has what is under way here.
  const bool one_log = std::ranges::all_of(sources, [&](const Claim& claim) {
    return active.empty() || claim.row->log_id == active.front().row->log_id;
  });
  const bool clash = active.size() > 1 || sources.size() > 1 || !one_log;
  if (clash) {
    std::string where;
    for (const Claim& claim : claims) {
      if (claim.row->state == TenantState::moved || claim.row->state == TenantState::arriving) {
        continue;
      }
      where += (where.empty() ? "\"" : " and \"") + claim.member->backend + "\"";
    }
    return {nullptr, nullptr,
            not_available("tenant \"" + name + "\" is in the backends " + where +
                          ", and nobody can tell which is the right one; remove one of them")};
  }
  Place place;
  if (!active.empty()) {
    place = {active.front().member, active.front().row, {}};
  } else if (!sources.empty()) {
    place = {sources.front().member, sources.front().row, {}};
  } else {
    const TenantRow& row = *claims.front().row;
    const bool arriving = row.state == TenantState::arriving;
    return {nullptr, nullptr,
            not_available("tenant \"" + name + "\" is moving " + (arriving ? "from" : "to") +
                          " backend \"" + row.other_backend + "\", which does not show it here")};
  }
  if (Status objection = manifest_objection(name, place); !objection.ok()) {
    return {nullptr, nullptr, std::move(objection)};
  }
  return place;
}

Status TenantCatalog::manifest_objection(const std::string& name, const Place& place) const {
  const auto found = documents_->tenants.find(name);
  if (found == documents_->tenants.end()) return {};
  const control::Manifest& manifest = found->second;
  const TenantRow& row = *place.row;
  if (manifest.backend.empty() || manifest.backend == place.member->backend) return {};
  // It may speak of the time before a move that the lists know of, or of the time behind one that
  // is still under way.
  const bool older = row.routing_epoch > manifest.routing_epoch;
  if (manifest.backend == row.other_backend && (older || is_source(row))) return {};
  return not_available("tenant \"" + name + "\" is in backend \"" + place.member->backend +
                       "\", and its manifest says \"" + manifest.backend + "\"");
}

void TenantCatalog::tell_refusals(std::map<std::string, Status, std::less<>> refused) {
  for (const auto& [name, why] : refused) {
    const auto told = refused_.find(name);
    if (told != refused_.end() && told->second.detail() == why.detail()) continue;
    telemetry_.log.error("the tenant is not served", {{"tenant", name}, {"cause", why}});
  }
  refused_ = std::move(refused);
}

void TenantCatalog::publish() {
  auto names = std::make_shared<TenantNames>();
  names->reserve(names_.size());
  for (const std::string& name : names_) names->insert(name);
  telemetry_.tenants.known.set(static_cast<double>(names_.size()));
  Status unsure;
  for (const auto& member : members_) {
    if (member->listed) continue;
    unsure = not_available("backend \"" + member->backend +
                           "\" cannot be reached; it may be there that the tenant is");
  }
  for (auto& each : workers_) {
    Worker& worker = *each;
    worker.loop().post(
        [&worker, names = std::shared_ptr<const TenantNames>(names), unsure]() mutable {
          worker.tenants().set_names(std::move(names), std::move(unsure));
        });
  }
}

void TenantCatalog::want(const std::string& name) {
  if (stopping_) return refuse(name, Error::stopped);
  if (const auto refused = refused_.find(name); refused != refused_.end()) {
    return refuse(name, refused->second);
  }
  const auto place = places_.find(name);
  if (place == places_.end() && names_.contains(name)) {  // in transit
    awaited_.insert(name);
    return await_lists();
  }
  if (place == places_.end()) {
    return refuse(name, Status(Error::tenant_unknown, "tenant \"" + name + "\" is not known here"));
  }
  place->second->database->want(name);
}

void TenantCatalog::refuse(const std::string& name, const Status& why) {
  for (auto& each : workers_) {
    Worker& worker = *each;
    worker.loop().post([&worker, name, why] { worker.tenants().fail(name, why); });
  }
}

}  // namespace lattice::server
