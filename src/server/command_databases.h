// The databases of a configuration as one command uses them, each opened when it is looked at.
//
// Thread: the caller's, which it blocks. Ownership: the configuration and the loop outlive it.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "server/document_rules.h"
#include "server/opened_database.h"

namespace lattice::server {

class CommandDatabases {
 public:
  struct Found {
    OpenedDatabase* database = nullptr;
    backends::TenantRow row;
  };
  using Wanted = absl::FunctionRef<bool(const OpenedDatabase&, const backends::TenantRow&)>;

  CommandDatabases(const config::Config& config, BlockingLoop& blocking)
      : config_(config), blocking_(blocking) {}

  // Of all, [backend] first.
  std::vector<std::string> names() const { return backend_names(config_); }
  // Errors: those of OpenedDatabase::open(). Valid for as long as this.
  Result<OpenedDatabase*> open(const std::string& backend);
  // The tenant's row in the first database that has one like that. Errors: tenant_unknown, and
  // those of a database that may have it.
  Result<Found> find(const std::string& tenant, Wanted wanted);
  Result<Found> find_active(const std::string& tenant);
  // Those that were opened, by name.
  const std::map<std::string, std::unique_ptr<OpenedDatabase>>& opened() const { return opened_; }

 private:
  const config::Config& config_;
  BlockingLoop& blocking_;
  std::map<std::string, std::unique_ptr<OpenedDatabase>> opened_;
};

}  // namespace lattice::server
