#include "control/cache_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "base/hex.h"
#include "base/sha256.h"

namespace lattice::control {
namespace {

constexpr std::string_view title =
    "Lattice's control-plane cache, format 1: what was last known to be good, not the truth\n";
constexpr size_t digest_digits = 64;

// Takes a text apart from its front.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}

  std::optional<std::string_view> until(char end) {
    const size_t at = rest_.find(end);
    if (at == rest_.npos) return std::nullopt;
    const std::string_view part = rest_.substr(0, at);
    rest_.remove_prefix(at + 1);
    return part;
  }
  template <class Number>
  bool number(char end, Number* to) {
    const auto part = until(end);
    if (!part) return false;
    const auto [stop, error] = std::from_chars(part->data(), part->data() + part->size(), *to);
    return error == std::errc() && stop == part->data() + part->size();
  }
  bool bytes(size_t size, std::string* to) {
    if (size > rest_.size()) return false;
    to->assign(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return true;
  }
  bool empty() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

std::optional<CacheFile> decode_body(std::string_view body) {
  Cursor cursor(body);
  CacheFile file;
  const auto boot = cursor.until('\n');
  if (!boot) return std::nullopt;
  file.boot_id = *boot;
  Saved& saved = file.saved;
  if (!cursor.number(' ', &saved.origin.cluster_id) ||
      !cursor.number(' ', &saved.origin.revision) ||
      !cursor.number('\n', &saved.proved_at.nanoseconds)) {
    return std::nullopt;
  }
  while (!cursor.empty()) {
    Version version;
    size_t key_bytes = 0;
    size_t value_bytes = 0;
    std::string line_end;
    if (!cursor.number(' ', &version.revision) || !cursor.number(' ', &key_bytes) ||
        !cursor.number('\n', &value_bytes) || !cursor.bytes(key_bytes, &version.key) ||
        !cursor.bytes(value_bytes, &version.value) || !cursor.bytes(1, &line_end)) {
      return std::nullopt;
    }
    saved.versions.push_back(std::move(version));
  }
  return file;
}

Status io_error(const std::string& what, const std::string& path) {
  return Status(Error::io, what + " " + path + ": " + std::strerror(errno));
}

// A descriptor that is closed on every way out.
class File {
 public:
  File(const std::string& path, int flags) : fd_(open(path.c_str(), flags | O_CLOEXEC, 0600)) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  bool ok() const { return fd_ >= 0; }
  bool write_all(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t size = write(fd_, text.data(), text.size());
      if (size < 0 && errno == EINTR) continue;
      if (size <= 0) return false;
      text.remove_prefix(static_cast<size_t>(size));
    }
    return true;
  }
  bool sync() const { return fsync(fd_) == 0; }

 private:
  const int fd_;
};

}  // namespace

std::string encode(const CacheFile& file) {
  const Saved& saved = file.saved;
  std::string body = file.boot_id + "\n" + std::to_string(saved.origin.cluster_id) + " " +
                     std::to_string(saved.origin.revision) + " " +
                     std::to_string(saved.proved_at.nanoseconds) + "\n";
  for (const Version& version : saved.versions) {
    body += std::to_string(version.revision) + " " + std::to_string(version.key.size()) + " " +
            std::to_string(version.value.size()) + "\n";
    body += version.key;
    body += version.value;
    body += '\n';
  }
  return std::string(title) + to_hex(sha256(body)) + "\n" + body;
}

Result<CacheFile> decode(std::string_view text) {
  if (!text.starts_with(title)) return Status(Error::backend_corrupt, "it has another format");
  text.remove_prefix(title.size());
  if (text.size() <= digest_digits || text[digest_digits] != '\n') {
    return Status(Error::backend_corrupt, "it ends too early");
  }
  const std::string_view body = text.substr(digest_digits + 1);
  if (text.substr(0, digest_digits) != to_hex(sha256(body))) {
    return Status(Error::backend_corrupt, "its checksum does not fit");
  }
  std::optional<CacheFile> file = decode_body(body);
  if (!file) return Status(Error::backend_corrupt, "it has another format");
  return std::move(*file);
}

Result<std::string> read_whole(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return std::string();
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  if (in.peek() != std::ifstream::traits_type::eof()) out << in.rdbuf();
  if (!in) return io_error("reading", path);
  return std::move(out).str();
}

Status replace_file(const std::string& path, std::string_view text) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  // Processes that share the folder do not write into one file.
  const std::string beside = path + "." + std::to_string(getpid()) + ".new";
  {
    const File file(beside, O_WRONLY | O_CREAT | O_TRUNC);
    if (!file.ok() || !file.write_all(text) || !file.sync()) return io_error("writing", beside);
  }
  if (std::rename(beside.c_str(), path.c_str()) != 0) return io_error("replacing", path);
  const File directory(folder.empty() ? "." : folder.string(), O_RDONLY | O_DIRECTORY);
  if (!directory.ok() || !directory.sync()) return io_error("syncing the folder of", path);
  return {};
}

std::string boot_id() {
  std::ifstream in("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(in, id);
  return id;
}

}  // namespace lattice::control
