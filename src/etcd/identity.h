// Who answers: the ids that clients see in every response header and in MemberList.
//
// etcd derives its ids from peer URLs. Lattice has no peers: the cluster is the database, which
// keeps the cluster id, so it is the same at every process that serves it and after any restart.
// The member id is derived as etcd does it, from the advertised URLs and a token, here the member's
// name and the cluster id: members beside their clients all advertise the same loopback URL.
// Thread: immutable.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"

namespace lattice::etcd {

class Identity {
 public:
  struct Parts {
    uint64_t cluster_id = 0;               // as the store has it, never 0
    std::string name;                      // of the member
    std::vector<std::string> client_urls;  // advertised; etcd clients that sync use them
  };
  explicit Identity(Parts parts);
  // Of another member of the same cluster.
  uint64_t member_id_of(const std::string& name, const std::vector<std::string>& client_urls) const;

  uint64_t cluster_id() const { return parts_.cluster_id; }
  uint64_t member_id() const { return member_id_; }
  const std::string& name() const { return parts_.name; }
  const std::vector<std::string>& client_urls() const { return parts_.client_urls; }
  // The first two fields of a ResponseHeader, encoded: they are the same in every response.
  std::string_view header_prefix() const { return header_prefix_; }

 private:
  Parts parts_;
  uint64_t member_id_ = 0;
  std::string header_prefix_;
};

// The first eight bytes of sha1(sorted URLs concatenated + token), big-endian, as etcd does it.
uint64_t derive_member_id(std::vector<std::string> urls, std::string_view token);

// What stands in a response header besides the ids.
struct HeaderNumbers {
  Revision revision;
  uint64_t raft_term = 0;
};

}  // namespace lattice::etcd
