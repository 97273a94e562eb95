// The schema `lattice` and the way to it from any older version (docs/log-format.md).
// Thread: the loop's.
#pragma once

#include <memory>

#include "backends/common/schema.h"
#include "backends/postgres/pg_connection.h"

namespace lattice::backends {

// Creates or migrates under a session's advisory lock, so that processes that start together do it
// one after the other. Each version is one transaction.
// Errors: backend_schema_newer, backend_foreign_data; anything else is worth another attempt.
class PgSchemaMigration {
 public:
  // `connection` must outlive this.
  PgSchemaMigration(PgConnection& connection, std::string where, uint64_t fresh_cluster_id);
  // Once. `done` may destroy this.
  void run(Callback<SchemaState> done);

 private:
  void inspect();
  void read_meta();
  void migrate(SchemaState state);
  void finish(Result<SchemaState> outcome);
  void execute(PgCommand::Form form, std::string text, absl::AnyInvocable<void(PgResult)> next);

  PgConnection& connection_;
  std::string where_;
  uint64_t fresh_cluster_id_;
  Callback<SchemaState> done_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace lattice::backends
