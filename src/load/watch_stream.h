// One gRPC watch stream with its watches, and the checks that each watch can make by itself: its
// events come in revision order, none twice, all of one key.
// Thread: the loader's only thread.
// Ownership: borrows the connection and the sink.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "load/call.h"
#include "load/connection.h"
#include "load/key_space.h"

namespace lattice::load {

class WatchSink {
 public:
  virtual void on_created() = 0;
  // A PUT event whose value decodes; `now_ns` is when its message arrived.
  virtual void on_event(const ValueHead& head, uint64_t now_ns) = 0;
  virtual void on_wrong(std::string_view why) = 0;

 protected:
  ~WatchSink() = default;
};

class WatchStream : public Call {
 public:
  WatchStream(WatchSink& sink, const KeySpace& keys, uint64_t sample_every)
      : sink_(sink), keys_(keys), sample_every_(sample_every) {}

  // Starts the stream with one watch for each key number.
  void start(Connection& connection, const std::vector<uint64_t>& key_numbers);

  void on_message(std::string_view message) override;
  void on_end(int grpc_status, std::string_view grpc_message) override;

 private:
  struct Watch {
    int64_t last_revision = 0;
    uint64_t key_number = 0;
    bool seen = false;
  };

  void on_put(Watch& watch, std::string_view bytes, uint64_t now_ns);
  Watch* watch_of(int64_t id);

  WatchSink& sink_;
  const KeySpace& keys_;
  uint64_t sample_every_;
  uint64_t events_ = 0;
  std::vector<Watch> watches_;  // by watch id, which servers count from 0 in each stream
};

}  // namespace lattice::load
