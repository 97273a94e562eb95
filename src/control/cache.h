// What this process knows of the control plane: the newest valid version of each document, what is
// wrong with those that are not, whose they are, and how old the knowledge is.
//
// A document that is refused changes nothing: its last good version stays in force until a good one
// comes or its key is deleted. A control plane that is another one than before, or an older state
// of it, is refused as a whole, and nothing it says counts as a proof.
//
// Thread: one owner. Pure: no I/O, no clock. Ownership: shares the Documents, which never change.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.h"
#include "control/documents.h"
#include "control/freshness.h"

namespace lattice::control {

inline constexpr size_t documents_max = 20'000;

// Those in force, by name.
struct Documents {
  std::map<std::string, Manifest, std::less<>> tenants;
  std::map<std::string, Routing, std::less<>> routing;
  std::map<std::string, Policy, std::less<>> policies;
  std::map<std::string, NodeRecord, std::less<>> nodes;
};

// What etcd's answers say of who answers.
struct Origin {
  uint64_t cluster_id = 0;
  int64_t revision = 0;
};
struct Version {
  std::string key;
  std::string value;
  int64_t revision = 0;  // that has set it, or deleted it
  bool deleted = false;
};
// What is kept on disk.
struct Saved {
  Origin origin;
  Instant proved_at;
  std::vector<Version> versions;  // the good ones
};

class Cache {
 public:
  struct Options {
    Duration ttl;
    Duration grace;
    Rules rules;
  };
  explicit Cache(Options options);

  // Before anything else was learned. `same_clock`: `saved.proved_at` is a time on this clock.
  void restore(const Saved& saved, bool same_clock);
  Saved save() const;

  // All documents as of `origin.revision`, by a linearizable read that was asked for at `asked_at`.
  // Errors: invalid_argument, when it is not believed; then nothing has changed.
  Status take_all(const Origin& origin, std::vector<Version> all, Instant asked_at);
  // What a watch has brought, in any order. Errors: likewise.
  Status take_changes(uint64_t cluster_id, std::vector<Version> changes);
  // A linearizable read has found so many keys, and this to be the newest of their revisions. True:
  // that is what is known here, and is proved; false: a list is due. Errors: likewise.
  Result<bool> confirm(const Origin& origin, int64_t count, int64_t newest, Instant asked_at);

  CacheState state(Instant now) const { return freshness_.state(now); }
  const Freshness& freshness() const { return freshness_; }
  // Never null. Another object than before whenever something has changed.
  std::shared_ptr<const Documents> documents() const { return documents_; }
  // By key: what is wrong with the newest version of those that are refused.
  const std::map<std::string, std::string>& problems() const { return problems_; }
  // Of the manifests in force, in hexadecimal digits: two nodes with the same one are governed
  // alike.
  std::string manifests_digest() const;
  const Origin& origin() const { return origin_; }

 private:
  struct Entry {
    int64_t revision = 0;  // of the newest version, good or not
    int64_t good_revision = 0;
    std::string good_text;
    Digest good_digest{};  // of key and text
    bool good = false;
  };

  Status believe(uint64_t cluster_id) const;
  Status believe(const Origin& origin) const;
  void put(Version version);
  void erase(const std::string& key);
  void rebuild();

  const Options options_;
  Freshness freshness_;
  Origin origin_;
  bool known_ = false;  // there is an origin
  int64_t listed_revision_ = 0;
  std::map<std::string, Entry> entries_;
  std::map<std::string, Document> good_;
  std::map<std::string, std::string> problems_;
  std::shared_ptr<const Documents> documents_ = std::make_shared<Documents>();
};

// The limits of a tenant that its manifest and its policies name: the manifest's first, then those
// of its policies, in their order. Empty without a manifest.
Limits limits_of(const Documents& documents, std::string_view tenant);

}  // namespace lattice::control
