// What the appends of several tenants have to do with each other where they meet in one commit:
// one fsync, and nothing else.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "backends/fault_vfs.h"
#include "backends/resolve.h"
#include "backends/sqlite_world.h"

namespace lattice::backends {
namespace {

using replica::AppendOutcome;
using replica::AppendReply;

// Tenants on a file whose fsyncs can be held up. Each has one batch, so that the write-ahead log
// has begun.
class Tenants {
 public:
  struct Tenant {
    std::unique_ptr<replica::Log> log;
    Chain chain;
  };

  explicit Tenants(int count, std::string folder = {}) : world_(std::move(folder), FaultVfs::name) {
    for (int i = 0; i < count; ++i) {
      auto log = world_.open_log("tenant" + std::to_string(i));
      Chain chain(log->id());
      must_append(world_, *log, chain, {put_record(2, "k", "v")});
      all_.push_back({std::move(log), chain});
    }
  }
  ~Tenants() {
    vfs_.hold_syncs(false);
    vfs_.fail_sync(0);
    vfs_.set_end(-1);
  }

  SqliteWorld& world() { return world_; }
  Tenant& operator[](size_t i) { return all_[i]; }

  // Submits the batch of a tenant; the answer comes later.
  void submit(size_t tenant, std::shared_ptr<const replica::Batch> batch) {
    const size_t place = replies_.size();
    replies_.emplace_back();
    all_[tenant].log->append(std::move(batch), [this, place](AppendReply reply) {
      replies_[place] = std::move(reply);
      order_.push_back(place);
    });
  }
  // The next batch of a tenant's chain, which is advanced.
  std::shared_ptr<const replica::Batch> next(size_t tenant, std::string_view value = "v") {
    Chain& chain = all_[tenant].chain;
    auto batch =
        chain.next({put_record(static_cast<int64_t>(chain.last().seq.value) + 2, "k", value)});
    chain.advance(*batch);
    return batch;
  }
  // Holds the commit of one more batch of the first tenant at its fsync, so that what is submitted
  // now waits behind it.
  void hold() {
    const int64_t before = vfs_.syncs();
    vfs_.hold_syncs(true);
    submit(0, next(0));
    while (vfs_.syncs() == before) world_.turn();
  }
  void release() { vfs_.hold_syncs(false); }
  // Until everything is answered: the answers in the order of submission.
  const std::vector<AppendReply>& await_all() {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (order_.size() < replies_.size() && std::chrono::steady_clock::now() < deadline) {
      world_.turn();
    }
    REQUIRE(order_.size() == replies_.size());
    return replies_;
  }
  // Places of submission in the order in which the answers came.
  const std::vector<size_t>& order() const { return order_; }

  void check_after_restart() {
    check();
    for (Tenant& tenant : all_) tenant.log.reset();
    world_.reopen();
    for (size_t i = 0; i < all_.size(); ++i) {
      all_[i].log = world_.open_log("tenant" + std::to_string(i));
    }
    check();
  }

 private:
  void check() {
    for (Tenant& tenant : all_) check_whole_log(world_, *tenant.log, tenant.chain);
  }

  FaultVfs& vfs_ = FaultVfs::instance();
  SqliteWorld world_;
  std::vector<Tenant> all_;
  std::vector<AppendReply> replies_;
  std::vector<size_t> order_;
};

TEST_CASE("sqlite commits: what waits at an fsync shares the next one, in order") {
  Tenants tenants(3);
  tenants.hold();
  const int64_t before = FaultVfs::instance().syncs();
  for (int i = 0; i < 2; ++i) {
    for (size_t tenant = 0; tenant < 3; ++tenant) tenants.submit(tenant, tenants.next(tenant));
  }
  tenants.release();
  for (const AppendReply& reply : tenants.await_all()) {
    CHECK(reply.outcome == AppendOutcome::committed);
  }
  CHECK(tenants.order() == std::vector<size_t>{0, 1, 2, 3, 4, 5, 6});
  CHECK(FaultVfs::instance().syncs() - before == 1);
  tenants.check_after_restart();
}

TEST_CASE("sqlite commits: a batch that is forestalled is rejected, and those beside it commit") {
  Tenants tenants(3);
  tenants.hold();
  const int64_t before = FaultVfs::instance().syncs();
  // Another history, what builds on it, and then one that fits.
  Chain other(tenants[1].log->id(), 2);
  const auto foreign = other.next({put_record(2, "k", "other")});
  other.advance(*foreign);
  tenants.submit(2, tenants.next(2));
  tenants.submit(1, foreign);
  tenants.submit(1, other.next({put_record(3, "k", "other")}));
  tenants.submit(1, tenants.next(1));
  tenants.submit(2, tenants.next(2));
  tenants.release();
  const std::vector<AppendReply>& replies = tenants.await_all();
  const std::array expected{AppendOutcome::committed, AppendOutcome::committed,
                            AppendOutcome::rejected,  AppendOutcome::rejected,
                            AppendOutcome::committed, AppendOutcome::committed};
  for (size_t i = 0; i < expected.size(); ++i) CHECK(replies[i].outcome == expected[i]);
  CHECK(FaultVfs::instance().syncs() - before == 1);
  tenants.check_after_restart();
}

TEST_CASE("sqlite commits: a batch too large for the disk does not fail those beside it") {
  Tenants tenants(3);
  tenants.hold();
  const std::string log_file = tenants.world().file() + "-wal";
  FaultVfs::instance().set_end(static_cast<int64_t>(std::filesystem::file_size(log_file)) +
                               200'000);
  Chain& greedy = tenants[1].chain;
  const auto large = greedy.next({put_record(3, "k", std::string(1'000'000, 'v'))});
  tenants.submit(2, tenants.next(2));
  tenants.submit(1, large);
  tenants.submit(0, tenants.next(0));
  tenants.release();
  const std::vector<AppendReply>& replies = tenants.await_all();
  CHECK(replies[1].outcome == AppendOutcome::committed);
  CHECK(replies[2].outcome == AppendOutcome::unknown);
  CHECK(replies[2].definite_error);
  CHECK(replies[2].detail.error() == Error::backend_full);
  CHECK(replies[3].outcome == AppendOutcome::committed);
  tenants.check_after_restart();
  // With room again the very same batch fits.
  FaultVfs::instance().set_end(-1);
  tenants.submit(1, large);
  CHECK(tenants.await_all().back().outcome == AppendOutcome::committed);
  greedy.advance(*large);
  tenants.check_after_restart();
}

TEST_CASE("sqlite commits: a failed fsync leaves all who share it in doubt, and loses nobody") {
  for (int64_t burst : {1, 3}) {
    Tenants tenants(3);
    tenants.hold();
    std::vector<std::shared_ptr<const replica::Batch>> batches;
    for (size_t tenant = 0; tenant < 3; ++tenant) {
      batches.push_back(tenants.next(tenant));
      tenants.submit(tenant, batches.back());
    }
    // The one that is held is counted already.
    FaultVfs::instance().fail_sync(1, burst);
    tenants.release();
    const std::vector<AppendReply>& replies = tenants.await_all();
    CHECK(replies[0].outcome == AppendOutcome::committed);
    for (size_t i = 1; i < 4; ++i) {
      CHECK(replies[i].outcome == AppendOutcome::unknown);
      CHECK_FALSE(replies[i].definite_error);
    }
    ResolveCounts counts;
    for (size_t tenant = 0; tenant < 3; ++tenant) {
      CHECK(resolve_append(tenants.world(), *tenants[tenant].log, batches[tenant], &counts));
    }
    tenants.check_after_restart();
  }
}

// Tenants append until the process is killed; each tells of every acknowledged batch.
[[noreturn]] void append_until_killed(const std::string& folder, size_t tenant_count, int out) {
  Tenants tenants(static_cast<int>(tenant_count), folder);
  const auto go_on = [&](const auto& again, size_t tenant) -> void {
    tenants[tenant].log->append(tenants.next(tenant), [&, tenant](AppendReply reply) {
      const char byte = static_cast<char>('a' + tenant);
      if (reply.outcome != AppendOutcome::committed || write(out, &byte, 1) != 1) _exit(1);
      again(again, tenant);
    });
  };
  for (size_t tenant = 0; tenant < tenant_count; ++tenant) {
    for (int i = 0; i < 2; ++i) go_on(go_on, tenant);
  }
  while (true) tenants.world().turn();
}

TEST_CASE("sqlite commits: a killed process has kept what it acknowledged, of every tenant") {
  constexpr size_t tenant_count = 3;
  for (int round = 0; round < 5; ++round) {
    TempFolder folder;
    std::array<int, 2> ends{};
    REQUIRE(pipe(ends.data()) == 0);
    const pid_t child = fork();
    if (child == 0) append_until_killed(folder.path(), tenant_count, ends[1]);
    close(ends[1]);
    std::array<size_t, tenant_count> acknowledged{1, 1, 1};
    char byte = 0;
    for (int i = 0; read(ends[0], &byte, 1) == 1; ++i) {
      ++acknowledged[static_cast<size_t>(byte - 'a')];
      if (i == 100 + 7 * round) kill(child, SIGKILL);
    }
    close(ends[0]);
    waitpid(child, nullptr, 0);

    SqliteWorld world(folder.path());
    for (size_t tenant = 0; tenant < tenant_count; ++tenant) {
      auto log = world.open_log("tenant" + std::to_string(tenant));
      const auto loaded = load(world, *log, Seq(0));
      CHECK(loaded.size() >= acknowledged[tenant]);
      CHECK(loaded.size() <= acknowledged[tenant] + 2);
      for (const auto& batch : loaded) {
        CHECK(compute_digest(log->id(), *batch.header, batch.records) == batch.header->digest);
      }
    }
  }
}

TEST_CASE("sqlite commits: a process that dies at the fsync leaves all of a commit or nothing") {
  TempFolder folder;
  std::array<int, 2> ends{};
  REQUIRE(pipe(ends.data()) == 0);
  const pid_t child = fork();
  if (child == 0) {
    Tenants tenants(3, folder.path());
    tenants.hold();
    FaultVfs& vfs = FaultVfs::instance();
    for (size_t tenant = 0; tenant < 3; ++tenant) tenants.submit(tenant, tenants.next(tenant));
    // The first commit goes through, the one of all three stands at its fsync.
    const int64_t before = vfs.syncs();
    vfs.let_sync_through();
    while (vfs.syncs() == before) tenants.world().turn();
    for (int i = 0; i < 10; ++i) tenants.world().turn();
    const char answered = static_cast<char>(tenants.order().size());
    if (write(ends[1], &answered, 1) != 1) _exit(1);
    while (true) pause();
  }
  char answered = 0;
  REQUIRE(read(ends[0], &answered, 1) == 1);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  close(ends[0]);
  close(ends[1]);
  CHECK(answered == 1);  // and nobody whose fsync has not ended

  SqliteWorld world(folder.path());
  std::vector<size_t> sizes;
  for (int i = 0; i < 3; ++i) {
    auto log = world.open_log("tenant" + std::to_string(i));
    sizes.push_back(load(world, *log, Seq(0)).size());
  }
  CHECK(sizes[0] - 1 == sizes[1]);
  CHECK(sizes[1] == sizes[2]);
}

}  // namespace
}  // namespace lattice::backends
