// `lattice tenant move --to-nodes`: from now on other nodes serve a tenant, while it is in use. The
// steps:
//
//   look      the nodes are registered, can be reached, and have loaded the tenant
//   write     routing document and manifest, with the next epoch, in one transaction
//   await     each node knows the epoch, and the right one leads
//
// Requests go the new way as soon as the node that they come to knows the documents; none fails on
// account of it (docs/decisions/0019). What the command has written stays when it dies; run again,
// it goes on waiting.
//
// Thread: the caller's, which it blocks. Ownership: what it is given outlives it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "server/governed_tenant.h"
#include "server/node_questions.h"

namespace lattice::server {

class NodeMove {
 public:
  struct Wanted {
    std::string tenant;
    std::vector<std::string> nodes;
    std::string leader;       // empty: as before, if that is one of the nodes
    int64_t epoch_above = 0;  // what the tenant's database knows of
    std::string backend;      // where the tenant is
  };
  struct Outcome {
    control::Routing routing;
    int64_t routing_epoch = 0;
    bool written = false;  // otherwise it was all so already
    Duration taken{};      // from the writing until all knew it
  };
  struct Parts {
    BlockingLoop& blocking;
    GovernedTenant& governed;
    NodeQuestions* nodes;                          // null: nobody is asked nor awaited
    std::function<void(const std::string&)> tell;  // what is going on, for people
  };
  NodeMove(Parts parts, Wanted wanted) : parts_(std::move(parts)), wanted_(std::move(wanted)) {}

  // What would be written; nullopt: nothing. Nothing is.
  Result<std::optional<GovernedTenant::Texts>> rehearse();
  Result<Outcome> run();

 private:
  using Edit = GovernedTenant::Edit;

  Result<std::optional<Edit>> decide();
  Status check_documents() const;
  Status check_nodes();
  control::Routing routing() const;
  Status await();
  // What is still missing; empty: nothing.
  std::string look();
  const std::string& address_of(const std::string& node) const;

  const Parts parts_;
  const Wanted wanted_;
  Outcome outcome_;
  std::vector<std::string> checked_;  // nodes that can be reached
  std::vector<std::string> late_;     // nodes that do not know the epoch yet
};

}  // namespace lattice::server
