// What other nodes know of a tenant, as a command asks them: over their ports for each other, as a
// node of the cluster. A node that is asked loads the tenant.
//
// Thread: the caller's, which it blocks. Ownership: the BlockingLoop outlives it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/keyring.h"
#include "peer/forward_client.h"
#include "server/opened_database.h"

namespace lattice::server {

// One node's answer.
struct NodeKnowledge {
  int64_t routing_epoch = 0;  // of the tenant; 0: it knows none
  uint64_t member_id = 0;     // the node's own
  uint64_t leader = 0;        // the leader's; 0: there is none
  bool leads() const { return leader != 0 && leader == member_id; }
};

class NodeQuestions {
 public:
  struct Parts {
    std::vector<std::string> secrets;  // of the cluster, at least one
    uint64_t cluster_id = 0;
    std::shared_ptr<const tls::Source> tls;  // null: plaintext
  };
  NodeQuestions(BlockingLoop& blocking, Parts parts);
  ~NodeQuestions();

  // `routing_epoch`: known to be in force; a node that does not know it asks the control plane
  // before it answers. Errors: backend_unavailable, with what kept the node from answering.
  Result<NodeKnowledge> ask(const std::string& address, const std::string& tenant,
                            int64_t routing_epoch);
  // What is to be done so that a node can be asked that could not be; empty: nobody knows.
  std::string remedy(const std::string& address) const;

 private:
  class Question;

  BlockingLoop& blocking_;
  const Keyring keyring_;
  peer::Surroundings around_;
  std::unique_ptr<peer::ForwardClient> client_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace lattice::server
