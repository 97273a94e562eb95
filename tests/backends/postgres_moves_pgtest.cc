// What a move does to the rows of two databases (backends/common/moves.h).
#include "backends/log_suite.h"
#include "backends/postgres_world.h"
#include "backends/tenants_suite.h"

namespace lattice::backends {
namespace {

struct Pair {
  PostgresWorld from, to;
  std::unique_ptr<TenantDirectory> old_list = from.store().directory();
  std::unique_ptr<TenantDirectory> new_list = to.store().directory();
  std::unique_ptr<TenantMoves> old_moves = from.store().moves();
  std::unique_ptr<TenantMoves> new_moves = to.store().moves();

  Status change(LogWorld& world, TenantMoves& moves, int64_t log_no,
                std::vector<TenantState> before, TenantState after) {
    return await_status(world, [&](StatusCallback done) {
      moves.change(log_no, {std::move(before), after, "x", 1}, std::move(done));
    });
  }
  Status receive(const TenantRow& row) {
    return await_status(to, [&](StatusCallback done) { new_moves->receive(row, std::move(done)); });
  }
  Status add(int64_t log_no, std::vector<replica::Log::LoadedBatch> batches) {
    return await_status(to, [&](StatusCallback done) {
      new_moves->add(log_no, std::move(batches), std::move(done));
    });
  }
  Census census(LogWorld& world, TenantMoves& moves, int64_t log_no) {
    std::optional<Result<Census>> reply;
    moves.census(log_no, Seq(1000), [&](Result<Census> census) { reply = std::move(census); });
    return *await(world, reply);
  }
};

TEST_CASE("postgres: a copy is the log, to the byte, and may be made twice") {
  Pair pair;
  auto log = pair.from.open_log("a");
  Chain chain(log->id());
  for (int i = 2; i < 12; ++i) {
    must_append(pair.from, *log, chain, {put_record(i, "k", "v"), put_record(i, "l", "")});
  }
  TenantRow row = row_of(list_tenants(pair.from, *pair.old_list), "a");
  row.limits = {{"keys_max", 7}};
  row.other_backend = "old";
  row.routing_epoch = 4;
  CHECK(pair.receive(row).ok());
  CHECK(pair.receive(row).error() == Error::tenant_exists);
  const TenantRow there = row_of(list_tenants(pair.to, *pair.new_list), "a");
  CHECK(there.state == TenantState::arriving);
  CHECK(there.log_id == row.log_id);
  CHECK(there.limits == row.limits);
  CHECK(there.other_backend == "old");
  CHECK(there.routing_epoch == 4);

  const auto original = load(pair.from, *log, Seq(0));
  CHECK(pair.add(there.log_no, load(pair.from, *log, Seq(0))).ok());
  CHECK(pair.add(there.log_no, load(pair.from, *log, Seq(5))).ok());
  auto copy_log = pair.to.store().open_log(there);
  const auto copy = load(pair.to, *copy_log, Seq(0));
  REQUIRE(copy.size() == original.size());
  for (size_t i = 0; i < copy.size(); ++i) {
    CHECK(same_header(*copy[i].header, *original[i].header));
    CHECK(compute_digest(copy_log->id(), *copy[i].header, copy[i].records) ==
          copy[i].header->digest);
  }
  CHECK(head(pair.to, *copy_log).newest.seq == Seq(10));
  CHECK(pair.census(pair.to, *pair.new_moves, there.log_no) == Census{{0, 20}});
  // What the old log loses is found.
  CHECK(await_status(pair.from, [&](StatusCallback done) {
          log->remove({{Seq(3), 0}, {Seq(3), 1}}, std::move(done));
        }).ok());
  CHECK(pair.census(pair.from, *pair.old_moves, row.log_no) == Census{{0, 18}});
  std::optional<Result<std::vector<keyspace::RecordId>>> ids;
  pair.old_moves->records(row.log_no, Seq(2), Seq(4), [&](auto reply) { ids = std::move(reply); });
  CHECK(*await(pair.from, ids) ==
        std::vector<keyspace::RecordId>{{Seq(2), 0}, {Seq(2), 1}, {Seq(4), 0}, {Seq(4), 1}});
  // Nothing is added to one that is in use.
  const auto arriving = std::vector<TenantState>{TenantState::arriving};
  CHECK(pair.change(pair.to, *pair.new_moves, there.log_no, arriving, TenantState::active).ok());
  CHECK(pair.add(there.log_no, load(pair.from, *log, Seq(5))).error() == Error::tenant_unknown);
  CHECK(
      pair.change(pair.to, *pair.new_moves, there.log_no, arriving, TenantState::active).error() ==
      Error::tenant_unknown);
}

TEST_CASE("postgres: where a tenant has left, nobody begins anew under its name") {
  Pair pair;
  (void)pair.from.open_log("a");
  const TenantRow row = row_of(list_tenants(pair.from, *pair.old_list), "a");
  CHECK(
      pair.change(pair.from, *pair.old_moves, row.log_no, {TenantState::active}, TenantState::moved)
          .ok());
  const TenantList list = list_tenants(pair.from, *pair.old_list);
  REQUIRE(list.tenants.size() == 1);
  CHECK(list.tenants[0].plain_name() == "a");
  CHECK(list.tenants[0].other_backend == "x");
  CHECK(create_tenant(pair.from, *pair.old_list, "a").error() == Error::tenant_exists);
  CHECK(await_status(pair.from, [&](StatusCallback done) {
          pair.from.store().open_log(
              "a", [done = std::move(done)](auto reply) mutable { done(reply.status()); });
        }).error() == Error::backend_foreign_data);
  // Unless it comes back.
  CHECK(await_status(pair.from, [&](StatusCallback done) {
          pair.old_moves->receive(row, std::move(done));
        }).ok());
  const TenantList back = list_tenants(pair.from, *pair.old_list);
  CHECK(row_of(back, "a").state == TenantState::arriving);
  CHECK(row_of(back, "~1~a").state == TenantState::removing);
}

}  // namespace
}  // namespace lattice::backends
