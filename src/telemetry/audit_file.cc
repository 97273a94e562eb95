#include "telemetry/audit_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

namespace lattice::telemetry {
namespace {

constexpr mode_t owner_only = 0600;

Status failure(const std::string& path) { return {Error::io, path + ": " + std::strerror(errno)}; }

// Without O_NONBLOCK a pipe that nobody reads would hold the process up.
int open_path(const std::string& path) {
  constexpr int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  return ::open(path.c_str(), flags, owner_only);
}

bool is_regular(int fd) {
  struct stat about {};
  return fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
}

}  // namespace

Result<AuditFile> AuditFile::open(std::string path) {
  const bool standard = path == standard_output;
  const int fd = standard ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0) : open_path(path);
  if (fd < 0) return failure(path);
  return AuditFile(std::move(path), fd, is_regular(fd));
}

AuditFile::~AuditFile() {
  if (fd_ >= 0) close(fd_);
}

AuditFile::AuditFile(AuditFile&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), regular_(other.regular_) {}

Result<bool> AuditFile::follow() {
  if (path_ == standard_output) return false;
  struct stat named {};
  struct stat opened {};
  if (stat(path_.c_str(), &named) == 0 && fstat(fd_, &opened) == 0 &&
      named.st_dev == opened.st_dev && named.st_ino == opened.st_ino) {
    return false;
  }
  const int fresh = open_path(path_);
  if (fresh < 0) return failure(path_);
  close(fd_);
  fd_ = fresh;
  regular_ = is_regular(fresh);
  return true;
}

Result<size_t> AuditFile::write(std::string_view bytes, Duration patience) {
  // stdout may be shared with others, who would not expect it to be non-blocking: what poll() says
  // there is room for does not block.
  if (!regular_) {
    pollfd room{fd_, POLLOUT, 0};
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(patience);
    if (poll(&room, 1, static_cast<int>(wait.count())) <= 0) return size_t{0};
    bytes = bytes.substr(0, PIPE_BUF);
  }
  const ssize_t taken = ::write(fd_, bytes.data(), bytes.size());
  if (taken >= 0) return static_cast<size_t>(taken);
  if (errno == EAGAIN || errno == EINTR) return size_t{0};
  return failure(path_);
}

}  // namespace lattice::telemetry
