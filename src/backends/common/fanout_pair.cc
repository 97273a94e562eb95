#include "backends/common/fanout_pair.h"

#include <utility>

namespace lattice::backends {
namespace {

using Receiver = replica::Fanout::Receiver;

// Both ways end at one receiver. It is kept while it runs: it may end the subscription.
Receiver share(const std::shared_ptr<Receiver>& receiver) {
  return {.message =
              [receiver](std::string_view message) {
                const auto kept = receiver;
                if (kept->message) kept->message(message);
              },
          .hint =
              [receiver] {
                const auto kept = receiver;
                if (kept->hint) kept->hint();
              }};
}

}  // namespace

FanoutPair::FanoutPair(std::unique_ptr<replica::Fanout> first, absl::AnyInvocable<bool()> first_up,
                       std::unique_ptr<replica::Fanout> second)
    : first_(std::move(first)), first_up_(std::move(first_up)), second_(std::move(second)) {}

void FanoutPair::subscribe(Receiver receiver) {
  if (!receiver.message && !receiver.hint) {
    first_->subscribe({});
    second_->subscribe({});
    return;
  }
  const auto shared = std::make_shared<Receiver>(std::move(receiver));
  first_->subscribe(share(shared));
  second_->subscribe(share(shared));
}

bool FanoutPair::carries_batches() const {
  return first_up_() ? first_->carries_batches() : second_->carries_batches();
}

void FanoutPair::publish(std::string message) {
  (first_up_() ? first_ : second_)->publish(std::move(message));
}

}  // namespace lattice::backends
