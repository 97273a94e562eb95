// A shared, immutable value that one thread replaces while others go on reading the one that they
// have.
// Thread: any. Ownership: shared; a value lives as long as somebody holds it.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

namespace lattice {

template <class T>
class Snapshot {
 public:
  explicit Snapshot(std::shared_ptr<const T> value) : value_(std::move(value)) {}
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  std::shared_ptr<const T> get() const {
    std::lock_guard lock(mutex_);
    return value_;
  }
  void set(std::shared_ptr<const T> value) {
    std::lock_guard lock(mutex_);
    value_.swap(value);  // the old one may die with `value`, behind the lock
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const T> value_;
};

}  // namespace lattice
