#include "server/loop_environment.h"

#include <sys/random.h>

#include <cerrno>
#include <chrono>
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

Instant LoopEnvironment::wall_clock() {
  return {std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count()};
}

std::unique_ptr<replica::Timer> LoopEnvironment::after(Duration delay,
                                                       absl::AnyInvocable<void()> callback) {
  return std::make_unique<LoopTimer>(loop_.after(delay, std::move(callback)));
}

void LoopEnvironment::random_bytes(std::span<uint8_t> out) {
  // Ids must never repeat; a system that cannot give random bytes is not one to run on.
  while (!out.empty()) {
    ssize_t size = getrandom(out.data(), out.size(), 0);
    if (size > 0) {
      out = out.subspan(static_cast<size_t>(size));
    } else if (errno != EINTR) {
      std::abort();
    }
  }
}

}  // namespace lattice::server
