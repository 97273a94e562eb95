// The schema `lattice` and the way to it from any older version (docs/log-format.md).
// Thread: the loop's.
#pragma once

#include <memory>
#include <string>

#include "backends/common/schema.h"
#include "backends/postgres/pg_connection.h"

namespace lattice::backends {

inline constexpr size_t cluster_secret_bytes = 32;

struct PgSchemaState : SchemaState {
  std::string secret;  // cluster_secret_bytes random ones
};

// Creates or migrates under a session's advisory lock, so that processes that start together do it
// one after the other. Each version is one transaction.
// Errors: backend_schema_newer, backend_foreign_data; anything else is worth another attempt.
class PgSchemaMigration {
 public:
  // `connection` must outlive this.
  PgSchemaMigration(PgConnection& connection, std::string where, uint64_t fresh_cluster_id);
  // Once. `done` may destroy this.
  void run(Callback<PgSchemaState> done);

 private:
  void inspect();
  void read_meta();
  void migrate(PgSchemaState state);
  void finish(Result<PgSchemaState> outcome);
  void execute(PgCommand::Form form, std::string text, absl::AnyInvocable<void(PgResult)> next);

  PgConnection& connection_;
  std::string where_;
  uint64_t fresh_cluster_id_;
  Callback<PgSchemaState> done_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace lattice::backends
