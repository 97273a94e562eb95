// The world as a replica sees it (replica/environment.h), on a real event loop.
// Thread: the loop's. Ownership: the loop must outlive it, and it the replicas that use it.
#pragma once

#include "loop/loop.h"
#include "replica/environment.h"

namespace lattice::server {

class LoopEnvironment final : public replica::Environment {
 public:
  explicit LoopEnvironment(loop::Loop& loop) : loop_(loop) {}

  Instant now() const override { return loop_.now(); }
  [[nodiscard]] std::unique_ptr<replica::Timer> after(Duration delay,
                                                      absl::AnyInvocable<void()> callback) override;
  void defer(absl::AnyInvocable<void()> callback) override { loop_.defer(std::move(callback)); }
  void random_bytes(std::span<uint8_t> out) override;

 private:
  loop::Loop& loop_;
};

}  // namespace lattice::server
