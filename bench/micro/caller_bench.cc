// What it costs each request to know who asks and whether he may: nanoseconds of CPU for reading
// the token and judging one key, by kind of credentials. Usage: caller_bench [requests].
#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "auth/store.h"
#include "credentials/api_tokens.h"
#include "credentials/authority.h"
#include "credentials/simple_tokens.h"

namespace lattice {
namespace {

using auth::Change;

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

constexpr std::string_view realm = "the log's 16 byte";
constexpr int roles = 10;
constexpr int api_tokens = 1000;

// A user with ten roles of a range each, and a thousand API tokens.
struct World {
  World() {
    credentials::ApiTokenBits bits{};
    run({.kind = Change::Kind::user_add, .user = "root"});
    run({.kind = Change::Kind::user_grant_role, .user = "root", .role = "root"});
    run({.kind = Change::Kind::user_add, .user = "alice"});
    for (int i = 0; i < roles; ++i) {
      const std::string name = "role " + std::to_string(i);
      run({.kind = Change::Kind::role_add, .role = name});
      run({.kind = Change::Kind::role_grant,
           .role = name,
           .has_permission = true,
           .permission = {auth::PermissionType::readwrite, name + "/", name + "0"}});
      run({.kind = Change::Kind::user_grant_role, .user = "alice", .role = name});
    }
    for (int i = 0; i < api_tokens; ++i) {
      bits[0] = static_cast<uint8_t>(i);
      bits[1] = static_cast<uint8_t>(i >> 8);
      api_token = credentials::make_api_token(bits);
      Change change{.kind = Change::Kind::token_create};
      change.token.hash = credentials::api_token_hash(api_token);
      change.token.user = "alice";
      run(change);
    }
    authority.use(std::make_shared<credentials::SimpleTokens>(Keyring({"secret"}), 300));
    simple_token = *authority.issue({"alice", store.visible().revision, std::string(realm)});
  }
  void run(const Change& change) {
    std::vector<keyspace::Record> records;
    if (!store.stage(change, &records).ok()) std::abort();
    store.commit();
  }

  auth::Store store;
  credentials::Authority authority{
      [](credentials::Authority::Task, credentials::Authority::Task) { return false; }};
  std::string simple_token;
  std::string api_token;
};

void measure(const char* name, World& world, const std::string& token, size_t requests) {
  const keyspace::KeyRange key{"role 5/key", ""};
  size_t refused = 0;
  const double start = cpu_seconds();
  for (size_t i = 0; i < requests; ++i) {
    const auth::CallerRef caller = token.empty() ? nullptr : world.authority.identify(token, false);
    const auth::Tables& tables = world.store.visible();
    if (!tables.enabled) continue;
    Status status = tables.check_token(caller.get(), realm);
    if (status.ok()) status = tables.check_keys(caller.get(), auth::Tables::Access::read, key);
    refused += !status.ok();
  }
  const double each = (cpu_seconds() - start) * 1e9 / static_cast<double>(requests);
  std::printf("%-46s %10.1f ns%s\n", name, each, refused > 0 ? " (refused)" : "");
}

}  // namespace
}  // namespace lattice

int main(int count, char** values) {
  const size_t requests = count > 1 ? std::strtoull(values[1], nullptr, 10) : 2'000'000;
  lattice::World world;
  lattice::measure("off, no token", world, "", requests);
  lattice::measure("off, a login's token", world, world.simple_token, requests);
  world.run({.kind = lattice::auth::Change::Kind::enable});
  lattice::measure("on, a login's token", world, world.simple_token, requests);
  lattice::measure("on, an API token", world, world.api_token, requests);
  std::string other = world.api_token;
  other.back() = other.back() == 'A' ? 'B' : 'A';
  lattice::measure("on, an API token that is none", world, other, requests);
}
