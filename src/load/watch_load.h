// Watches under load: creates the watches, then puts to the watched keys and follows every event to
// its watcher.
//
// The pace is one of three: a fixed rate; or a fixed number of puts in flight, where a put makes
// room when all of its events have arrived (what the server sustains), or when it is answered (the
// backlog then grows as it will, and the window ends when it is drained).
//
// Thread: the loader's only thread.
// Ownership: borrows everything it is given.
#pragma once

#include <memory>
#include <random>
#include <vector>

#include "load/client.h"
#include "load/key_space.h"
#include "load/meter.h"
#include "load/options.h"
#include "load/revision_ledger.h"
#include "load/watch_stream.h"

namespace lattice::load {

class WatchLoad final : private WatchSink {
 public:
  WatchLoad(Client& client, const KeySpace& keys, Meter& meter, RevisionLedger& ledger,
            const Options& options);
  ~WatchLoad();

  // False when the server was lost; the client knows why.
  bool run();

  uint64_t puts_late() const { return puts_late_; }

 private:
  class Putter;
  friend class Putter;

  void on_created() override { ++created_; }
  void on_event(const ValueHead& head, uint64_t now_ns) override;
  void on_wrong(std::string_view why) override { meter_.fail(why); }

  bool create_watches();
  bool turn_of_time(uint64_t start_ns);
  void put_what_is_due(double elapsed);
  void put_more();
  uint64_t watchers_per_key() const;

  Client& client_;
  const KeySpace& keys_;
  Meter& meter_;
  RevisionLedger& ledger_;
  const Options& options_;
  std::mt19937_64 random_;
  std::vector<std::unique_ptr<WatchStream>> streams_;
  std::vector<std::unique_ptr<Putter>> putters_;
  std::vector<Putter*> idle_;
  uint64_t created_ = 0;
  uint64_t puts_ = 0;
  uint64_t puts_late_ = 0;  // at a fixed rate: those for which no room was left in time
  uint64_t events_expected_ = 0;
  uint64_t events_ = 0;
  bool stopping_ = false;
};

}  // namespace lattice::load
