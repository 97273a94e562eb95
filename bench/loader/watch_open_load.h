// New watches under load: each is made on one of a few streams and cancelled as soon as it is
// there, and a fixed number is being made at a time. Thread: the loader's only thread. Ownership:
// borrows everything it is given.
#pragma once

#include <memory>
#include <random>
#include <vector>

#include "load/client.h"
#include "load/key_space.h"
#include "load/meter.h"
#include "load/options.h"

namespace lattice::load {

class WatchOpenLoad {
 public:
  WatchOpenLoad(Client& client, const KeySpace& keys, Meter& meter, const Options& options);
  ~WatchOpenLoad();

  // To the end of the time, and until the last watch was made or refused. False when the server was
  // lost; the client knows why.
  bool run();

 private:
  class Stream;
  friend class Stream;

  Client& client_;
  const KeySpace& keys_;
  Meter& meter_;
  const Options& options_;
  std::mt19937_64 random_;
  std::vector<std::unique_ptr<Stream>> streams_;
  size_t in_flight_ = 0;
  bool stopping_ = false;
};

}  // namespace lattice::load
