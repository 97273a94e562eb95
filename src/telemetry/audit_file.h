// Where the audit log's lines go: a file that others may rename or delete (logrotate), or stdout.
// Thread: one, which may block in write(); never an event loop.
// Ownership: owns its descriptor.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "base/time.h"

namespace lattice::telemetry {

class AuditFile {
 public:
  static constexpr std::string_view standard_output = "stdout";

  // Appends to the file, which is made if it is missing, for its owner only. Errors: io.
  static Result<AuditFile> open(std::string path);
  ~AuditFile();
  AuditFile(AuditFile&& other) noexcept;
  AuditFile& operator=(AuditFile&&) = delete;
  AuditFile(const AuditFile&) = delete;
  AuditFile& operator=(const AuditFile&) = delete;

  // Opens the file afresh if its name no longer means the one that is open, and answers whether it
  // did. Errors: io; the one that was open stays.
  Result<bool> follow();
  // How many of the bytes were taken; 0 if none could be for `patience`, by a reader that is slow.
  // Errors: io.
  Result<size_t> write(std::string_view bytes, Duration patience);

  const std::string& path() const { return path_; }

 private:
  AuditFile(std::string path, int fd, bool regular)
      : path_(std::move(path)), fd_(fd), regular_(regular) {}

  std::string path_;
  int fd_ = -1;
  bool regular_ = false;
};

}  // namespace lattice::telemetry
