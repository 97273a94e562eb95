// A handle that outlives the call it points to: what a callback keeps so that an answer which comes
// after the call has ended finds nobody instead of a dead object. One pointer wide, so that a
// callback that holds nothing else needs no allocation of its own. Thread: one loop; the count is
// not atomic. Moving a CallRef elsewhere and back is fine, copying or destroying it there is not.
#pragma once

#include <cstdint>
#include <utility>

namespace lattice::etcd {

namespace internal {
struct Anchor {
  void* call;
  uint32_t references;
};
// With one reference, the caller's.
Anchor* make_anchor(void* call);
void free_anchor(Anchor* anchor);
inline void release(Anchor* anchor) {
  if (--anchor->references == 0) free_anchor(anchor);
}
}  // namespace internal

template <class T>
class CallRef {
 public:
  explicit CallRef(internal::Anchor* anchor) noexcept : anchor_(anchor) { ++anchor_->references; }
  CallRef(const CallRef& other) noexcept : anchor_(other.anchor_) {
    if (anchor_ != nullptr) ++anchor_->references;
  }
  CallRef(CallRef&& other) noexcept : anchor_(std::exchange(other.anchor_, nullptr)) {}
  CallRef& operator=(CallRef other) noexcept {
    std::swap(anchor_, other.anchor_);
    return *this;
  }
  ~CallRef() {
    if (anchor_ != nullptr) internal::release(anchor_);
  }
  // Null once the call is gone.
  T* get() const { return static_cast<T*>(anchor_->call); }

 private:
  internal::Anchor* anchor_;
};

// The call's end of it: a member of the object that refs point to.
class CallAnchor {
 public:
  template <class T>
  explicit CallAnchor(T* call) : anchor_(internal::make_anchor(call)) {}
  ~CallAnchor() {
    anchor_->call = nullptr;
    internal::release(anchor_);
  }
  CallAnchor(const CallAnchor&) = delete;
  CallAnchor& operator=(const CallAnchor&) = delete;
  // Requires: T is the type that the anchor was made with.
  template <class T>
  CallRef<T> ref() const {
    return CallRef<T>(anchor_);
  }

 private:
  internal::Anchor* anchor_;
};

}  // namespace lattice::etcd
