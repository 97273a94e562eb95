// The statements of one object: those that are still under way when it goes end without a report.
//
// Thread: the loop's. Ownership: a member of the object whose callbacks run.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "backends/postgres/pg_connection.h"

namespace lattice::backends {

class PgStatements {
 public:
  struct Options {
    Duration patience = std::chrono::seconds(10);  // as PgCommand's
    bool promises = false;
  };

  void run(PgConnection& connection, std::string text, PgParams params,
           absl::AnyInvocable<void(PgReply)> done, Options options) {
    PgCommand command;
    command.text = std::move(text);
    command.params = std::move(params);
    command.patience = options.patience;
    command.promises = options.promises;
    command.done = [alive = std::weak_ptr<bool>(alive_),
                    done = std::move(done)](PgReply reply) mutable {
      if (!alive.expired()) done(std::move(reply));
    };
    connection.execute(std::move(command));
  }

  // For what looks by itself whether the object still is.
  const std::shared_ptr<bool>& alive() const { return alive_; }

 private:
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace lattice::backends
