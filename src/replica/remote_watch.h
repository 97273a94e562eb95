// A watch stream whose connection lives on another loop than the replica. Events travel home by
// message; credit travels back the same way, so that what is between the loops counts as not yet
// consumed. Thread: the home loop.
#pragma once

#include <memory>

#include "replica/remote_api.h"

namespace lattice::replica {

class RemoteWatchStream final : public WatchStream {
 public:
  static std::unique_ptr<WatchStream> open(Api& owner, std::shared_ptr<Mailbox> mailbox,
                                           WatchSink& sink);
  ~RemoteWatchStream() override;

  void create(WatchCreate create) override;
  void cancel(WatchId id) override;
  void request_progress() override;
  void consumed(size_t bytes) override;

 private:
  struct Link;
  class OwnerSink;
  explicit RemoteWatchStream(std::shared_ptr<Link> link) : link_(std::move(link)) {}
  template <class Call>
  void ask(Call call);

  std::shared_ptr<Link> link_;
};

}  // namespace lattice::replica
