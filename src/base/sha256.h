// SHA-256 in pieces, over OpenSSL: the digest that chains the batches of a log (log-protocol P1).
// Thread: one owner. OpenSSL's failures here mean that it is unusable (no memory, or a build
//   without SHA-256), which nothing can repair: the process ends.
#pragma once

#include <memory>
#include <string_view>

#include "base/ids.h"

namespace lattice {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(std::string_view data);
  // The digest of everything since construction or the last finish(), and starts afresh.
  Digest finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

Digest sha256(std::string_view data);

}  // namespace lattice
