#include "control/cache.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/hex.h"
#include "base/sha256.h"

namespace lattice::control {
namespace {

Status refused(std::string why) { return Status(Error::invalid_argument, std::move(why)); }

std::string id_text(uint64_t id) {
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) text += "0123456789abcdef"[id >> shift & 15];
  return text;
}

// Puts `document` where its kind is kept.
void place(Documents* to, std::string_view key, const Document& document) {
  const std::string name(key.substr(key.find('/', documents_prefix.size()) + 1));
  if (const auto* manifest = std::get_if<Manifest>(&document)) to->tenants[name] = *manifest;
  if (const auto* routing = std::get_if<Routing>(&document)) to->routing[name] = *routing;
  if (const auto* policy = std::get_if<Policy>(&document)) to->policies[name] = *policy;
  if (const auto* node = std::get_if<NodeRecord>(&document)) to->nodes[name] = *node;
}

}  // namespace

Cache::Cache(Options options)
    : options_(std::move(options)), freshness_(options_.ttl, options_.grace) {}

void Cache::restore(const Saved& saved, bool same_clock) {
  origin_ = saved.origin;
  known_ = true;
  for (const Version& version : saved.versions) put(version);
  if (same_clock) freshness_.inherit(saved.proved_at);
  rebuild();
}

Saved Cache::save() const {
  Saved saved{origin_, freshness_.proved_at(), {}};
  for (const auto& [key, entry] : entries_) {
    if (entry.good) saved.versions.push_back({key, entry.good_text, entry.good_revision, false});
  }
  return saved;
}

Status Cache::believe(uint64_t cluster_id) const {
  if (!known_ || cluster_id == origin_.cluster_id) return {};
  return refused("another control plane answers: cluster " + id_text(cluster_id) + " instead of " +
                 id_text(origin_.cluster_id));
}

Status Cache::believe(const Origin& origin) const {
  if (Status status = believe(origin.cluster_id); !status.ok()) return status;
  if (!known_ || origin.revision >= origin_.revision) return {};
  return refused("the control plane was rolled back: it is at revision " +
                 std::to_string(origin.revision) + ", and was at " +
                 std::to_string(origin_.revision));
}

Status Cache::take_all(const Origin& origin, std::vector<Version> all, Instant asked_at) {
  if (Status status = believe(origin); !status.ok()) return status;
  if (all.size() > documents_max) {
    return refused("the control plane has more than " + std::to_string(documents_max) +
                   " documents");
  }
  origin_ = origin;
  known_ = true;
  listed_revision_ = origin.revision;
  std::set<std::string> listed;
  for (const Version& version : all) listed.insert(version.key);
  std::vector<std::string> gone;
  for (const auto& [key, entry] : entries_) {
    // What is newer was brought by the watch meanwhile.
    if (!listed.contains(key) && entry.revision <= origin.revision) gone.push_back(key);
  }
  for (const std::string& key : gone) erase(key);
  for (Version& version : all) put(std::move(version));
  rebuild();
  freshness_.prove(asked_at);
  return {};
}

Status Cache::take_changes(uint64_t cluster_id, std::vector<Version> changes) {
  if (Status status = believe(cluster_id); !status.ok()) return status;
  for (Version& version : changes) {
    if (version.revision <= listed_revision_) continue;  // the list had it
    if (version.deleted) {
      erase(version.key);
    } else if (entries_.size() < documents_max || entries_.contains(version.key)) {
      put(std::move(version));
    }
  }
  rebuild();
  return {};
}

Result<bool> Cache::confirm(const Origin& origin, int64_t count, int64_t newest, Instant asked_at) {
  if (Status status = believe(origin); !status.ok()) return status;
  // Any change raises the newest revision or, if it deletes, lowers the count: what puts restore of
  // the count, they raise of the revision.
  int64_t known_newest = 0;
  for (const auto& [key, entry] : entries_) known_newest = std::max(known_newest, entry.revision);
  if (count != static_cast<int64_t>(entries_.size()) || newest != known_newest) return false;
  origin_.revision = origin.revision;
  freshness_.prove(asked_at);
  return true;
}

void Cache::put(Version version) {
  Entry& entry = entries_[version.key];
  if (version.revision < entry.revision) return;
  entry.revision = version.revision;
  Result<Document> parsed = parse_document(version.key, version.value, options_.rules);
  if (parsed.ok()) {
    // Another tenant's history would be routed by it.
    const auto* fresh = std::get_if<Manifest>(&*parsed);
    const auto before = good_.find(version.key);
    if (fresh != nullptr && before != good_.end()) {
      const int64_t epoch = std::get<Manifest>(before->second).routing_epoch;
      if (fresh->routing_epoch < epoch) {
        parsed =
            refused(version.key + ": routing_epoch: expected at least " + std::to_string(epoch) +
                    ", which was in force, got " + std::to_string(fresh->routing_epoch));
      }
    }
  }
  if (!parsed.ok()) {
    problems_[version.key] = parsed.status().detail();
    return;
  }
  problems_.erase(version.key);
  entry.good = true;
  entry.good_revision = version.revision;
  entry.good_text = std::move(version.value);
  entry.good_digest = sha256(version.key + '\0' + entry.good_text);
  good_.insert_or_assign(version.key, std::move(*parsed));
}

void Cache::erase(const std::string& key) {
  entries_.erase(key);
  good_.erase(key);
  problems_.erase(key);
}

void Cache::rebuild() {
  auto fresh = std::make_shared<Documents>();
  for (const auto& [key, document] : good_) place(fresh.get(), key, document);
  documents_ = std::move(fresh);
}

std::string Cache::manifests_digest() const {
  Sha256 sum;
  for (const auto& [key, entry] : entries_) {
    if (entry.good && std::holds_alternative<Manifest>(good_.at(key))) {
      sum.update(
          {reinterpret_cast<const char*>(entry.good_digest.data()), entry.good_digest.size()});
    }
  }
  return to_hex(sum.finish());
}

Limits limits_of(const Documents& documents, std::string_view tenant) {
  const auto manifest = documents.tenants.find(tenant);
  if (manifest == documents.tenants.end()) return {};
  Limits limits = manifest->second.limits;
  for (const std::string& name : manifest->second.policies) {
    const auto policy = documents.policies.find(name);
    if (policy != documents.policies.end()) {
      limits.insert(policy->second.limits.begin(), policy->second.limits.end());
    }
  }
  return limits;
}

}  // namespace lattice::control
