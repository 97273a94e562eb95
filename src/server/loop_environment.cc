#include "server/loop_environment.h"

#include <openssl/rand.h>

#include <cstdlib>

namespace lattice::server {
namespace {

class LoopTimer final : public replica::Timer {
 public:
  explicit LoopTimer(std::unique_ptr<loop::TimerHandle> handle) : handle_(std::move(handle)) {}

 private:
  std::unique_ptr<loop::TimerHandle> handle_;
};

}  // namespace

std::unique_ptr<replica::Timer> LoopEnvironment::after(Duration delay,
                                                       absl::AnyInvocable<void()> callback) {
  return std::make_unique<LoopTimer>(loop_.after(delay, std::move(callback)));
}

void LoopEnvironment::random_bytes(std::span<uint8_t> out) {
  // Ids must never repeat; a system that cannot give random bytes is not one to run on.
  if (RAND_bytes(out.data(), static_cast<int>(out.size())) != 1) std::abort();
}

}  // namespace lattice::server
