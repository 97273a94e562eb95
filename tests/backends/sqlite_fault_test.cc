// What the SQLite log makes of a failing disk (reliability.md 3.2): nothing acknowledged is lost,
// and no verdict is wrong.

#include <sys/mount.h>

#include "backends/fault_vfs.h"
#include "backends/resolve.h"
#include "backends/sqlite_world.h"

namespace lattice::backends {
namespace {

using replica::AppendOutcome;

class FaultSwitches {
 public:
  FaultSwitches() { FaultVfs::instance(); }
  ~FaultSwitches() {
    FaultVfs::instance().fail_sync(0);
    FaultVfs::instance().set_quota(-1);
  }
};

TEST_CASE("sqlite faults: the Nth fsync fails, for every N, once and several times in a row") {
  FaultSwitches switches;
  ResolveCounts counts;
  for (int burst : {1, 3}) {
    for (int n = 1; n <= 25; ++n) {
      TempFolder folder;
      SqliteWorld world(folder.path(), FaultVfs::name);
      auto log = world.open_log("a");
      Chain chain(log->id());
      FaultVfs::instance().fail_sync(n, burst);
      for (int i = 0; i < 20; ++i) {
        auto batch = chain.next({put_record(i + 2, "k", std::string(3000, 'v'))});
        REQUIRE(resolve_append(world, *log, batch, &counts));
        chain.advance(*batch);
      }
      FaultVfs::instance().fail_sync(0);
      check_whole_log(world, *log, chain);
      log.reset();
      world.reopen();
      log = world.open_log("a");
      check_whole_log(world, *log, chain);
    }
  }
  MESSAGE("unknown ", counts.unknown, ", definite ", counts.definite, ", found by look ",
          counts.found_by_look);
  CHECK(counts.unknown >= 25);
  CHECK(counts.definite > 0);  // refused while the file could not be reopened
}

TEST_CASE("sqlite faults: a disk without space refuses definitely and says so") {
  FaultSwitches switches;
  for (int64_t quota : {0, 1000, 9000, 20'000, 100'000}) {
    TempFolder folder;
    SqliteWorld world(folder.path(), FaultVfs::name);
    auto log = world.open_log("a");
    Chain chain(log->id());
    must_append(world, *log, chain, {put_record(2, "k", "v")});
    FaultVfs::instance().set_quota(quota);
    replica::AppendReply reply;
    std::shared_ptr<const replica::Batch> batch;
    for (int i = 0; i < 100; ++i) {
      batch = chain.next({put_record(i + 3, "k", std::string(5000, 'v'))});
      reply = append(world, *log, batch);
      if (reply.outcome != AppendOutcome::committed) break;
      chain.advance(*batch);
    }
    REQUIRE(reply.outcome == AppendOutcome::unknown);
    CHECK(reply.definite_error);
    CHECK(reply.detail.error() == Error::backend_full);
    CHECK(reply.detail.detail().find("free space") != std::string::npos);
    // Reading goes on, and writing when there is space again: the very same batch fits.
    check_whole_log(world, *log, chain);
    FaultVfs::instance().set_quota(-1);
    REQUIRE(append(world, *log, batch).outcome == AppendOutcome::committed);
    chain.advance(*batch);
    log.reset();
    world.reopen();
    log = world.open_log("a");
    check_whole_log(world, *log, chain);
  }
}

TEST_CASE("sqlite faults: a full file system") {
  TempFolder folder;
  const std::string mounted = folder.path() + "/small";
  std::filesystem::create_directory(mounted);
  if (mount("none", mounted.c_str(), "tmpfs", 0, "size=3m") != 0) {
    MESSAGE("NOT RUN: mounting a small tmpfs needs root; the quota test covers the same path");
    return;
  }
  {
    SqliteWorld world(mounted);
    auto log = world.open_log("a");
    Chain chain(log->id());
    replica::AppendReply reply;
    std::shared_ptr<const replica::Batch> batch;
    std::vector<keyspace::RecordId> written;
    for (int i = 0; i < 1000; ++i) {
      batch = chain.next({put_record(i + 2, "k", std::string(20'000, 'v'))});
      reply = append(world, *log, batch);
      if (reply.outcome != AppendOutcome::committed) break;
      chain.advance(*batch);
      written.push_back({chain.last().seq, 0});
    }
    REQUIRE(reply.outcome == AppendOutcome::unknown);
    CHECK(reply.definite_error);
    CHECK(reply.detail.error() == Error::backend_full);
    CHECK(written.size() > 10);
    check_whole_log(world, *log, chain);
  }
  CHECK(umount(mounted.c_str()) == 0);
}

}  // namespace
}  // namespace lattice::backends
