// What the control plane says of one tenant, as commands read and change it. A change is a
// compare-and-swap against what was read, and is checked as the servers check it: what they would
// refuse is not written.
//
// Thread: the caller's, which it blocks. Ownership: what it is given outlives it.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "control/document_edits.h"
#include "server/document_rules.h"
#include "server/plane_client.h"

namespace lattice::server {

class GovernedTenant {
 public:
  GovernedTenant(PlaneClient& plane, const DocumentRules& rules, std::string name)
      : plane_(plane), rules_(rules), name_(std::move(name)) {}

  // Everything at one moment. Errors: backend_unavailable; invalid_argument, the manifest is one
  // that the servers refuse.
  Status read();
  // As it was read.
  bool has_manifest() const { return manifest_text_.revision != 0; }
  const control::Manifest& manifest() const { return manifest_; }
  // nullopt: there is none that servers take, so that every node serves the tenant.
  const std::optional<control::Routing>& routing() const { return routing_; }
  const std::map<std::string, control::NodeRecord>& nodes() const { return nodes_; }

  struct Edit {
    control::ManifestChange manifest;
    std::optional<control::Routing> routing = std::nullopt;  // nullopt: stays as it is
  };
  struct Texts {
    std::string manifest;
    std::string routing;  // empty: stays as it is
  };
  // What that would write. Errors: invalid_argument, as the servers would say it.
  Result<Texts> texts(const Edit& edit) const;
  // Reads, asks what is to be written, and writes it, again and again until nobody else has changed
  // something meanwhile. `decide` answers nullopt when all is as it should be.
  // False: there was nothing to write. Errors: also those of `decide`.
  Result<bool> update(absl::FunctionRef<Result<std::optional<Edit>>()> decide);

 private:
  struct Text {
    std::string text;
    int64_t revision = 0;  // 0: there is no such document
  };
  // False: it is not any more what was read. Errors: backend_unavailable: it may have been done.
  Result<bool> write(const Texts& texts);
  std::string manifest_key() const { return control::manifest_key(name_); }
  std::string routing_key() const { return control::routing_key(name_); }

  PlaneClient& plane_;
  const DocumentRules& rules_;
  const std::string name_;
  Text manifest_text_;
  Text routing_text_;
  control::Manifest manifest_;
  std::optional<control::Routing> routing_;
  std::map<std::string, control::NodeRecord> nodes_;
};

}  // namespace lattice::server
