#include "replica/remote_watch.h"

#include <utility>

namespace lattice::replica {

// Shared by both ends; each field is one loop's alone.
struct RemoteWatchStream::Link {
  explicit Link(std::shared_ptr<Mailbox> with) : mailbox(std::move(with)) {}
  const std::shared_ptr<Mailbox> mailbox;
  WatchSink* sink = nullptr;  // home's; null once the stream is destroyed there
  // The owner's; the stream goes first, it refers to the sink.
  std::unique_ptr<WatchSink> owner_sink;
  std::unique_ptr<WatchStream> stream;
};

// The replica's sink: sends everything home. It holds the link weakly, because the link owns it; a
// link without a home has nobody to tell.
class RemoteWatchStream::OwnerSink final : public WatchSink {
 public:
  explicit OwnerSink(const std::shared_ptr<Link>& link) : link_(link) {}

  void on_created(WatchId id, Revision header, WatchRefusal refusal) override {
    send([=](WatchSink& sink) { sink.on_created(id, header, refusal); });
  }
  void on_events(WatchId id, Revision header, bool fragment, WatchEvents events) override {
    send([=, events = std::move(events)](WatchSink& sink) mutable {
      sink.on_events(id, header, fragment, std::move(events));
    });
  }
  void on_progress(WatchId id, Revision header) override {
    send([=](WatchSink& sink) { sink.on_progress(id, header); });
  }
  void on_compacted(WatchId id, Revision compact_revision) override {
    send([=](WatchSink& sink) { sink.on_compacted(id, compact_revision); });
  }
  void on_canceled(WatchId id, Revision header) override {
    send([=](WatchSink& sink) { sink.on_canceled(id, header); });
  }
  void on_closed(Status status) override {
    send([status = std::move(status)](WatchSink& sink) { sink.on_closed(status); });
  }

 private:
  template <class Call>
  void send(Call call) {
    std::shared_ptr<Link> link = link_.lock();
    if (link == nullptr) return;
    Mailbox& mailbox = *link->mailbox;
    mailbox.post_home([link = std::move(link), call = std::move(call)]() mutable {
      if (link->sink != nullptr) call(*link->sink);
    });
  }
  std::weak_ptr<Link> link_;
};

std::unique_ptr<WatchStream> RemoteWatchStream::open(Api& owner, std::shared_ptr<Mailbox> mailbox,
                                                     WatchSink& sink) {
  auto link = std::make_shared<Link>(std::move(mailbox));
  link->sink = &sink;
  link->mailbox->post_to_owner([link, api = &owner] {
    link->owner_sink = std::make_unique<OwnerSink>(link);
    link->stream = api->open_watch_stream(*link->owner_sink);
  });
  return std::unique_ptr<WatchStream>(new RemoteWatchStream(std::move(link)));
}

RemoteWatchStream::~RemoteWatchStream() {
  link_->sink = nullptr;
  // The replica's stream ends on its own loop; events on their way home find no sink.
  Mailbox& mailbox = *link_->mailbox;
  mailbox.post_to_owner([link = std::move(link_)] {
    link->stream.reset();
    link->owner_sink.reset();
  });
}

template <class Call>
void RemoteWatchStream::ask(Call call) {
  link_->mailbox->post_to_owner([link = link_, call = std::move(call)]() mutable {
    if (link->stream != nullptr) call(*link->stream);
  });
}

void RemoteWatchStream::create(WatchCreate create) {
  ask([create = std::move(create)](WatchStream& stream) mutable {
    stream.create(std::move(create));
  });
}

void RemoteWatchStream::cancel(WatchId id) {
  ask([id](WatchStream& stream) { stream.cancel(id); });
}

void RemoteWatchStream::request_progress() {
  ask([](WatchStream& stream) { stream.request_progress(); });
}

void RemoteWatchStream::consumed(size_t bytes) {
  ask([bytes](WatchStream& stream) { stream.consumed(bytes); });
}

}  // namespace lattice::replica
