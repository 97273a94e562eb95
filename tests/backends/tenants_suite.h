// The conformance suite of TenantDirectory.
#pragma once

#include <algorithm>

#include "backends/common/tenants.h"
#include "backends/log_world.h"

namespace lattice::backends {

inline TenantList list_tenants(LogWorld& world, TenantDirectory& directory) {
  std::optional<Result<TenantList>> reply;
  directory.list([&](Result<TenantList> list) { reply = std::move(list); });
  auto list = await(world, reply);
  REQUIRE_MESSAGE(list.ok(), list.status().detail());
  return *list;
}

inline int64_t tenants_version(LogWorld& world, TenantDirectory& directory) {
  std::optional<Result<int64_t>> reply;
  directory.version([&](Result<int64_t> version) { reply = std::move(version); });
  auto version = await(world, reply);
  REQUIRE_MESSAGE(version.ok(), version.status().detail());
  return *version;
}

inline Status create_tenant(LogWorld& world, TenantDirectory& directory, const std::string& name,
                            const TenantLimitValues& limits = {}) {
  return await_status(
      world, [&](StatusCallback done) { directory.create(name, limits, std::move(done)); });
}

inline Status remove_tenant(LogWorld& world, TenantDirectory& directory, const std::string& name) {
  return await_status(world, [&](StatusCallback done) { directory.remove(name, std::move(done)); });
}

inline bool sweep_tenant(LogWorld& world, TenantDirectory& directory, int64_t log_no) {
  std::optional<Result<bool>> reply;
  directory.sweep(log_no, [&](Result<bool> more) { reply = std::move(more); });
  auto more = await(world, reply);
  REQUIRE_MESSAGE(more.ok(), more.status().detail());
  return *more;
}

inline const TenantRow& row_of(const TenantList& list, std::string_view name) {
  const auto found = std::ranges::find(list.tenants, name, &TenantRow::name);
  REQUIRE(found != list.tenants.end());
  return *found;
}

// What is there is listed, with what it was given; every change is seen by the version.
inline void check_list(LogWorld& world, TenantDirectory& directory) {
  const int64_t version = tenants_version(world, directory);
  CHECK(create_tenant(world, directory, "b", {{"keys_max", 5}, {"quota_bytes", -1}}).ok());
  CHECK(create_tenant(world, directory, "a").ok());
  CHECK(create_tenant(world, directory, "a").error() == Error::tenant_exists);
  CHECK(tenants_version(world, directory) > version);
  const TenantList list = list_tenants(world, directory);
  REQUIRE(list.tenants.size() == 2);
  CHECK(list.version == tenants_version(world, directory));
  CHECK(list.tenants[0].name == "a");
  CHECK(list.tenants[0].limits.empty());
  CHECK(list.tenants[0].log_id != list.tenants[1].log_id);
  CHECK(list.tenants[1].limits == TenantLimitValues{{"keys_max", 5}, {"quota_bytes", -1}});
  CHECK(list.tenants[1].created_at.size() == 20);
  const auto limit = [&](const std::string& name) {
    return await_status(world, [&](StatusCallback done) {
      directory.set_limits(name, {{"leases_max", 1}}, std::move(done));
    });
  };
  CHECK(limit("a").ok());
  CHECK(limit("c").error() == Error::tenant_unknown);
  const TenantList limited = list_tenants(world, directory);
  CHECK(limited.version > list.version);
  CHECK(row_of(limited, "a").limits == TenantLimitValues{{"leases_max", 1}});
}

// A removed tenant's name is free at once, its number and id are never used again, and its rows go
// in bounded steps, those of others stay.
inline void check_removal(LogWorld& world, TenantDirectory& directory) {
  constexpr int batches = 12;
  constexpr int records = 100;
  for (const auto* name : {"a", "b"}) {
    auto log = world.open_log(name);
    Chain chain(log->id());
    for (int batch = 0; batch < batches; ++batch) {
      std::vector<keyspace::Record> puts(static_cast<size_t>(records),
                                         put_record(2 + batch, "k", name));
      must_append(world, *log, chain, std::move(puts));
    }
  }
  const TenantRow old = row_of(list_tenants(world, directory), "b");
  CHECK(remove_tenant(world, directory, "b").ok());
  CHECK(remove_tenant(world, directory, "b").error() == Error::tenant_unknown);
  CHECK(create_tenant(world, directory, "b").ok());
  const TenantRow fresh = row_of(list_tenants(world, directory), "b");
  CHECK(fresh.log_no > old.log_no);
  CHECK(fresh.log_id != old.log_id);
  const TenantList list = list_tenants(world, directory);
  const auto doomed = std::ranges::find(list.tenants, old.log_no, &TenantRow::log_no);
  REQUIRE(doomed != list.tenants.end());
  CHECK(doomed->state == TenantState::removing);

  int steps = 1;
  while (sweep_tenant(world, directory, old.log_no)) ++steps;
  CHECK(steps > 1);
  CHECK_FALSE(sweep_tenant(world, directory, old.log_no));
  const TenantList after = list_tenants(world, directory);
  CHECK(std::ranges::find(after.tenants, old.log_no, &TenantRow::log_no) == after.tenants.end());
  // Sweeping one that is in use does nothing.
  CHECK_FALSE(sweep_tenant(world, directory, row_of(after, "a").log_no));
  auto kept = world.open_log("a");
  CHECK(load(world, *kept, Seq(0)).size() == batches);
  auto empty = world.open_log("b");
  CHECK(load(world, *empty, Seq(0)).empty());
  CHECK(empty->id() == fresh.log_id);
  // The newest number is not given out again either.
  CHECK(remove_tenant(world, directory, "b").ok());
  while (sweep_tenant(world, directory, fresh.log_no)) {
  }
  CHECK(create_tenant(world, directory, "c").ok());
  CHECK(row_of(list_tenants(world, directory), "c").log_no > fresh.log_no);
}

}  // namespace lattice::backends
