#include "backends/sqlite/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace lattice::backends {
namespace {

Status io_error(const std::string& what, int error) {
  std::string text = what + ": " + std::strerror(error);
  if (error == EACCES || error == EPERM || error == EROFS) {
    text += "; Lattice runs as user id " + std::to_string(geteuid()) +
            ": make the folder writable for it, or set [paths] wal_dir to one that is";
  }
  return Status(Error::io, text);
}

std::string read_holder(int fd) {
  char text[32];
  const ssize_t size = pread(fd, text, sizeof(text), 0);
  std::string holder(text, size > 0 ? static_cast<size_t>(size) : 0);
  holder.erase(holder.find_last_not_of('\n') + 1);
  return holder;
}

}  // namespace

Result<FolderLock> FolderLock::take(const std::string& folder) {
  std::error_code error;
  const bool created = std::filesystem::create_directories(folder, error);
  if (error) return io_error("creating the data folder " + folder, error.value());
  if (created) chmod(folder.c_str(), 0700);

  const std::string path = folder + "/lock";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return io_error("opening " + path, errno);
  FolderLock lock(fd);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return io_error("locking " + path, errno);
    const std::string holder = read_holder(fd);
    return Status(Error::backend_locked,
                  "the data folder " + folder + " is in use by another Lattice" +
                      (holder.empty() ? "" : " (process " + holder + ")") +
                      "; stop that one, or name another folder with --data-dir ([paths] wal_dir)");
  }
  // Whose it is, for the message above; the lock itself is the flock.
  const std::string self = std::to_string(getpid()) + "\n";
  if (ftruncate(fd, 0) != 0 ||
      pwrite(fd, self.data(), self.size(), 0) != static_cast<ssize_t>(self.size())) {
    return io_error("writing " + path, errno);
  }
  return lock;
}

FolderLock::~FolderLock() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace lattice::backends
