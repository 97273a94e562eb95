#include "server/watchdog.h"

#include <utility>

#include "server/service_manager.h"
#include "server/worker.h"

namespace lattice::server {

Watchdog::Watchdog(std::vector<loop::Loop*> loops, Duration pause, loop::Task sign_of_life)
    : loops_(std::move(loops)), pause_(pause), sign_of_life_(std::move(sign_of_life)) {
  timer_ = loops_.front()->after(Duration::zero(), [this] { begin_round(); });
}

void Watchdog::begin_round() {
  awaited_ = loops_.size();
  for (loop::Loop* each : loops_) {
    each->post([this] { loops_.front()->post([this] { on_turned(); }); });
  }
}

void Watchdog::on_turned() {
  if (--awaited_ != 0) return;
  sign_of_life_();
  timer_ = loops_.front()->after(pause_, [this] { begin_round(); });
}

std::unique_ptr<Watchdog> watch_for_service_manager(
    const std::vector<std::unique_ptr<Worker>>& workers) {
  const std::optional<Duration> time = service_watchdog_time();
  if (!time) return nullptr;
  std::vector<loop::Loop*> loops;
  for (const auto& worker : workers) loops.push_back(&worker->loop());
  // A third of it leaves two thirds for the slowest turn; systemd asks for half of it at most.
  return std::make_unique<Watchdog>(std::move(loops), *time / 3,
                                    [] { notify_service_manager("WATCHDOG=1"); });
}

}  // namespace lattice::server
