// A gRPC stream of watches that check what they are sent: each write of each key they watch, in
// order, once; or a part of that and one cancellation that names a compact revision.
// Thread: the program's only one. Ownership: borrows connection and tally.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "load/call.h"
#include "load/connection.h"
#include "load/histogram.h"

namespace etcdserverpb {
class WatchResponse;
}

namespace lattice::crowd {

// What is watched: one key of a group, or all of them.
struct WatchSpec {
  char group = 'a';
  uint64_t key = 0;
  uint64_t keys = 1;    // more than one: the whole group, which has so many
  uint64_t first = 0;   // the first write of each key that it must see
  uint64_t writes = 0;  // how many of each
  int64_t start_revision = 0;
};

// What a number of watches have seen together.
struct Tally {
  uint64_t created = 0;
  uint64_t complete = 0;   // have every event
  uint64_t compacted = 0;  // cancelled with a compact revision
  uint64_t events = 0;
  load::Histogram delay;
  std::map<std::string, uint64_t, std::less<>> failures;

  void fail(std::string_view why);
  uint64_t settled() const { return complete + compacted; }
};

class CrowdStream : public load::Call {
 public:
  explicit CrowdStream(Tally& tally) : tally_(tally) {}

  // Starts the stream and creates its watches. Call once.
  void start(load::Connection& connection, const std::vector<WatchSpec>& specs);

  void on_message(std::string_view message) override;
  void on_end(int grpc_status, std::string_view grpc_message) override;

 private:
  struct Watch {
    WatchSpec spec;
    bool created = false;
    bool compacted = false;
    uint64_t missing = 0;
    int64_t revision = 0;
    std::vector<uint32_t> next;  // the next write of each key
  };

  void on_response(Watch& watch, const etcdserverpb::WatchResponse& response);
  void on_event(Watch& watch, std::string_view key, std::string_view value);

  Tally& tally_;
  std::vector<Watch> watches_;  // by id, which servers count from 0 in each stream
};

}  // namespace lattice::crowd
