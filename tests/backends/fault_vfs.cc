#include "backends/fault_vfs.h"

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <cstring>

namespace lattice::backends {
namespace {

// The wrapped file lies behind ours, in the space that SQLite allocates for both.
struct FaultFile {
  sqlite3_file base;
  sqlite3_file* real;
};

sqlite3_file* real(sqlite3_file* file) { return reinterpret_cast<FaultFile*>(file)->real; }
sqlite3_vfs* real_vfs(sqlite3_vfs* vfs) { return static_cast<sqlite3_vfs*>(vfs->pAppData); }

int file_write(sqlite3_file* f, const void* data, int size, sqlite3_int64 at) {
  if (FaultVfs::instance().write_fails(size, at)) return SQLITE_FULL;
  return real(f)->pMethods->xWrite(real(f), data, size, at);
}
int file_sync(sqlite3_file* f, int flags) {
  if (FaultVfs::instance().sync_fails()) return SQLITE_IOERR_FSYNC;
  return real(f)->pMethods->xSync(real(f), flags);
}

const sqlite3_io_methods methods = {
    2,
    [](sqlite3_file* f) { return real(f)->pMethods->xClose(real(f)); },
    [](sqlite3_file* f, void* data, int size, sqlite3_int64 at) {
      return real(f)->pMethods->xRead(real(f), data, size, at);
    },
    file_write,
    [](sqlite3_file* f, sqlite3_int64 size) { return real(f)->pMethods->xTruncate(real(f), size); },
    file_sync,
    [](sqlite3_file* f, sqlite3_int64* size) {
      return real(f)->pMethods->xFileSize(real(f), size);
    },
    [](sqlite3_file* f, int lock) { return real(f)->pMethods->xLock(real(f), lock); },
    [](sqlite3_file* f, int lock) { return real(f)->pMethods->xUnlock(real(f), lock); },
    [](sqlite3_file* f, int* out) { return real(f)->pMethods->xCheckReservedLock(real(f), out); },
    [](sqlite3_file* f, int op, void* arg) {
      return real(f)->pMethods->xFileControl(real(f), op, arg);
    },
    [](sqlite3_file* f) { return real(f)->pMethods->xSectorSize(real(f)); },
    [](sqlite3_file* f) { return real(f)->pMethods->xDeviceCharacteristics(real(f)); },
    [](sqlite3_file* f, int region, int size, int extend, void volatile** out) {
      return real(f)->pMethods->xShmMap(real(f), region, size, extend, out);
    },
    [](sqlite3_file* f, int offset, int count, int flags) {
      return real(f)->pMethods->xShmLock(real(f), offset, count, flags);
    },
    [](sqlite3_file* f) { real(f)->pMethods->xShmBarrier(real(f)); },
    [](sqlite3_file* f, int remove) { return real(f)->pMethods->xShmUnmap(real(f), remove); },
    nullptr,
    nullptr,
};

int vfs_open(sqlite3_vfs* vfs, sqlite3_filename path, sqlite3_file* file, int flags, int* out) {
  auto* ours = reinterpret_cast<FaultFile*>(file);
  ours->real = reinterpret_cast<sqlite3_file*>(ours + 1);
  std::memset(ours->real, 0, static_cast<size_t>(real_vfs(vfs)->szOsFile));
  const int code = real_vfs(vfs)->xOpen(real_vfs(vfs), path, ours->real, flags, out);
  ours->base.pMethods = ours->real->pMethods != nullptr ? &methods : nullptr;
  return code;
}

}  // namespace

FaultVfs::FaultVfs() {
  static sqlite3_vfs vfs = *sqlite3_vfs_find(nullptr);
  vfs.pAppData = sqlite3_vfs_find(nullptr);
  vfs.szOsFile += static_cast<int>(sizeof(FaultFile));
  vfs.zName = name;
  vfs.xOpen = vfs_open;
  vfs.xDelete = [](sqlite3_vfs* v, const char* path, int sync) {
    return real_vfs(v)->xDelete(real_vfs(v), path, sync);
  };
  vfs.xAccess = [](sqlite3_vfs* v, const char* path, int flags, int* out) {
    return real_vfs(v)->xAccess(real_vfs(v), path, flags, out);
  };
  vfs.xFullPathname = [](sqlite3_vfs* v, const char* path, int size, char* out) {
    return real_vfs(v)->xFullPathname(real_vfs(v), path, size, out);
  };
  sqlite3_vfs_register(&vfs, 0);
}

FaultVfs& FaultVfs::instance() {
  static FaultVfs vfs;
  return vfs;
}

bool FaultVfs::sync_fails() {
  ++syncs_;
  const bool fails = is_chosen();
  int64_t passes = passes_;
  while (passes == 0 || !passes_.compare_exchange_weak(passes, passes - 1)) {
    passes_.wait(0);
    passes = passes_;
  }
  return fails;
}

bool FaultVfs::is_chosen() {
  if (syncs_left_ == 0) return false;
  if (syncs_left_ > 1) {
    --syncs_left_;
    return false;
  }
  if (--burst_ <= 0) syncs_left_ = 0;
  return true;
}

bool FaultVfs::write_fails(int64_t bytes, int64_t offset) {
  if (end_ >= 0 && offset + bytes > end_) return true;
  if (quota_ < 0) return false;
  if (quota_ < bytes) return true;
  quota_ -= bytes;
  return false;
}

}  // namespace lattice::backends
