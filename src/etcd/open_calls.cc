#include "etcd/open_calls.h"

namespace lattice::etcd {

OpenCall::OpenCall(OpenCalls& calls) : calls_(calls), next_(calls.first_) {
  if (next_ != nullptr) next_->previous_ = this;
  calls_.first_ = this;
  ++calls_.size_;
}

OpenCall::~OpenCall() {
  (previous_ != nullptr ? previous_->next_ : calls_.first_) = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
  --calls_.size_;
}

// The transport destroys an ended call later, never inside finish(), so the links stay valid here.
void OpenCalls::end_all(const Status& status) {
  for (OpenCall* call = first_; call != nullptr; call = call->next_) call->end(status);
}

void OpenCalls::serving_changed() {
  for (OpenCall* call = first_; call != nullptr; call = call->next_) call->on_serving_changed();
}

}  // namespace lattice::etcd
