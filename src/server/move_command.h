// `lattice tenant move`, to another database or to other nodes: finds out what it concerns, has it
// done, and tells the control plane and people.
//
// Thread: the caller's, which it blocks. Ownership: what it is given outlives it.
#pragma once

#include <iosfwd>
#include <memory>
#include <string>

#include "server/command_databases.h"
#include "server/governed_tenant.h"
#include "server/node_move.h"
#include "server/tenant_command.h"
#include "server/tenant_move.h"
#include "server/tls_files.h"
#include "server/tls_sources.h"

namespace lattice::server {

class MoveCommand {
 public:
  struct Parts {
    const config::Config& config;
    const TenantCommand& command;
    CommandDatabases& databases;
    BlockingLoop& blocking;
    std::ostream& out;
    std::ostream& err;
  };
  explicit MoveCommand(const Parts& parts);

  Status run();

 private:
  using Found = CommandDatabases::Found;

  // ---- To another database ----
  Status to_backend();
  Status move_from(const Found& source, OpenedDatabase& to);
  Status already_there(OpenedDatabase& to);
  Result<int64_t> governed_epoch();
  Status tell_manifest(int64_t routing_epoch);
  Status say(std::string_view what);
  void print(const TenantMove::Outcome& outcome, const std::string& from);

  // ---- To other nodes ----
  Status to_nodes();
  Result<std::unique_ptr<NodeQuestions>> node_questions();
  Status rehearse(NodeMove& move);
  void print(const NodeMove::Outcome& outcome);

  Status open_control_plane();
  void tell(const std::string& text);

  const Parts parts_;
  const TenantCommand& command_;
  const DocumentRules rules_;
  const std::shared_ptr<telemetry::Logger> log_ = telemetry::Logger::to_nowhere();
  telemetry::Registry registry_;
  TlsFiles tls_files_;
  TlsSources tls_;
  std::unique_ptr<PlaneClient> plane_;        // null in mode standalone
  std::unique_ptr<GovernedTenant> governed_;  // likewise
  int64_t manifest_epoch_ = 0;  // of the manifest that says where the tenant is; 0: there is none
};

}  // namespace lattice::server
