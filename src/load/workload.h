// What the unary load sends and how it judges the answers. One implementation per mode.
// Thread: the loader's only thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "load/client.h"
#include "load/key_space.h"
#include "load/options.h"
#include "load/revision_ledger.h"

namespace lattice::load {

// One request as it was sent; comes back with its answer.
struct Request {
  std::string_view path;
  std::string body;
  uint64_t key = 0;
  uint64_t nonce = 0;
};

class Workload {
 public:
  virtual ~Workload() = default;

  // Before the first request: what the workload must know. Empty when that went well.
  virtual std::string prepare(Client&) { return {}; }
  // Fills the next request; false when there is nothing more to send.
  virtual bool next(Request& request) = 0;
  // Empty when the answer is right.
  virtual std::string_view check(const Request& request, std::string_view answer) = 0;
  // After the last answer: what can only be seen at the end. Empty when right.
  virtual std::string verify(Client& client) = 0;
  // Keys written or read by one request.
  virtual uint64_t keys_per_request() const { return 1; }
};

// `keys` and `ledger` outlive the workload.
std::unique_ptr<Workload> make_workload(const Options& options, const KeySpace& keys,
                                        RevisionLedger& ledger);

}  // namespace lattice::load
