// The file `lock` in a data folder: whoever holds its flock owns the folder. The kernel gives it
// back when the process ends, however it ends.
#pragma once

#include <string>
#include <utility>

#include "base/status.h"

namespace lattice::backends {

class FolderLock {
 public:
  // Creates the folder (mode 0700) and the file when missing.
  // Errors: backend_locked, io.
  static Result<FolderLock> take(const std::string& folder);

  FolderLock(FolderLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FolderLock& operator=(FolderLock&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FolderLock();

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace lattice::backends
