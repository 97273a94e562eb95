// Passes clients' requests on to other nodes: a connection to each, made when there is something to
// pass on and kept for a while after.
//
// Thread: the loop's.
// Ownership: outlives the requests that it opened.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "peer/forward_link.h"
#include "peer/surroundings.h"

namespace lattice::peer {

class ForwardClient {
 public:
  explicit ForwardClient(Surroundings& around);
  ~ForwardClient();

  bool ready(const std::string& address) const;
  // Calls `done` once, later: OK when a request can be opened, otherwise why not. Not after `alive`
  // has turned false.
  void when_ready(const std::string& address, std::shared_ptr<const bool> alive,
                  absl::AnyInvocable<void(Status)> done);
  // What of TLS the last attempt to connect failed of, as Http2Client::failure(); empty: nothing of
  // it.
  std::string_view failure(const std::string& address) const;
  // Requires: ready(). See ForwardLink.
  [[nodiscard]] std::unique_ptr<proxy::ClientStream> open(const std::string& address,
                                                          const ForwardedHead& head,
                                                          std::string_view path,
                                                          proxy::Metadata metadata,
                                                          proxy::ClientStreamEvents& events);

 private:
  struct Waiting {
    std::shared_ptr<const bool> alive;
    absl::AnyInvocable<void(Status)> done;
  };
  struct Node {
    std::unique_ptr<ForwardLink> link;                 // null: not connected nor connecting
    std::vector<std::unique_ptr<ForwardLink>> ending;  // with requests that are still open
    std::vector<Waiting> waiting;
    std::string reason;        // why there is none; empty: there is, or was none yet
    std::string_view failure;  // likewise
    Duration backoff{};
    Instant retry_at;
    Instant last_used;
  };

  void connect(const std::string& address, Node& node);
  void look_at(const std::string& address);
  void tell(Node& node, const Status& status);
  // Not at once: it may be on the stack.
  void discard(std::unique_ptr<ForwardLink> link);
  void sweep();

  Surroundings& around_;
  std::shared_ptr<proxy::ClientContext> context_;
  TroubleLog trouble_;
  absl::flat_hash_map<std::string, std::unique_ptr<Node>> nodes_;
  std::unique_ptr<loop::TimerHandle> timer_;
};

}  // namespace lattice::peer
