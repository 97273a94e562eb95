// API tokens: what they may do, when they end, and that the log brings them back.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "auth/store.h"
#include "auth/text.h"

namespace lattice::auth {
namespace {

using keyspace::Record;
using Kind = Change::Kind;
using Access = Tables::Access;

ApiToken token_of(std::string user, char seed = 'a') {
  ApiToken token;
  token.hash = std::string(token_hash_bytes, seed);
  token.user = std::move(user);
  token.comment = "for the tests";
  token.created_seconds = 1000;
  return token;
}

struct World {
  Store store;
  std::vector<Record> log;

  World() {
    const auto user = [this](Kind kind, std::string name, std::string role = {}) {
      Change change;
      change.kind = kind;
      change.user = std::move(name);
      change.role = std::move(role);
      REQUIRE(run(change).ok());
    };
    const auto role = [this](std::string name, PermissionType type, std::string key) {
      Change change;
      change.kind = Kind::role_add;
      change.role = name;
      REQUIRE(run(change).ok());
      change.kind = Kind::role_grant;
      change.has_permission = true;
      change.permission = {type, key, key + "~"};
      REQUIRE(run(change).ok());
    };
    user(Kind::user_add, "root");
    user(Kind::user_grant_role, "root", "root");
    user(Kind::user_add, "ci");
    role("build", PermissionType::readwrite, "b");
    role("deploy", PermissionType::readwrite, "d");
    user(Kind::user_grant_role, "ci", "build");
    user(Kind::user_grant_role, "ci", "deploy");
    Change on;
    on.kind = Kind::enable;
    REQUIRE(run(on).ok());
  }
  Status run(const Change& change) {
    std::vector<Record> records;
    Status status = store.stage(change, &records);
    if (!status.ok()) return status;
    store.commit();
    log.insert(log.end(), records.begin(), records.end());
    return {};
  }
  Status create(ApiToken token) {
    Change change;
    change.kind = Kind::token_create;
    change.token = std::move(token);
    return run(change);
  }
  Status revoke(std::string id) {
    Change change;
    change.kind = Kind::token_revoke;
    change.token_id = std::move(id);
    return run(change);
  }
  Error check(const Caller& caller, Access access, std::string key) const {
    const Status good = store.visible().check_token(&caller, "log");
    return (good.ok() ? store.visible().check_keys(&caller, access, {std::move(key), ""}) : good)
        .error();
  }
};

Caller shown(char seed = 'a', int64_t seen_seconds = 2000) {
  Caller caller;
  caller.kind = Caller::Kind::api_token;
  caller.token_hash = std::string(token_hash_bytes, seed);
  caller.seen_seconds = seen_seconds;
  return caller;
}

Error root(const World& world, const Caller& caller) {
  return world.store.visible().check_root(&caller, "log").error();
}
Error writer(const World& world, const Caller& caller) {
  return world.store.visible().check_writer(&caller, "log").error();
}

TEST_CASE("api tokens: act for their user, by what the user may do now") {
  World world;
  CHECK(world.check(shown(), Access::read, "b1") == Error::invalid_auth_token);
  const uint64_t revision = world.store.visible().revision;
  REQUIRE(world.create(token_of("ci")).ok());
  CHECK(world.store.visible().revision == revision);  // JWTs go on
  CHECK(world.check(shown(), Access::write, "b1") == Error::ok);
  CHECK(world.check(shown(), Access::write, "x") == Error::permission_denied);
  CHECK(root(world, shown()) == Error::permission_denied);
  Change change;
  change.kind = Kind::user_revoke_role;
  change.user = "ci";
  change.role = "build";
  REQUIRE(world.run(change).ok());
  CHECK(world.check(shown(), Access::write, "b1") == Error::permission_denied);
  CHECK(world.check(shown(), Access::write, "d1") == Error::ok);
}

TEST_CASE("api tokens: some roles only, or reading only") {
  World world;
  ApiToken some = token_of("ci");
  some.roles = {"deploy"};
  REQUIRE(world.create(some).ok());
  ApiToken reader = token_of("ci", 'r');
  reader.read_only = true;
  REQUIRE(world.create(reader).ok());
  CHECK(world.check(shown(), Access::write, "d1") == Error::ok);
  CHECK(world.check(shown(), Access::read, "b1") == Error::permission_denied);
  CHECK(world.check(shown('r'), Access::read, "b1") == Error::ok);
  CHECK(world.check(shown('r'), Access::write, "b1") == Error::permission_denied);
  CHECK(writer(world, shown('r')) == Error::permission_denied);
  CHECK(writer(world, shown()) == Error::ok);

  ApiToken foreign = token_of("ci", 'f');
  foreign.roles = {"root"};
  CHECK(world.create(foreign).error() == Error::role_not_granted);
  CHECK(world.create(token_of("nobody", 'n')).error() == Error::user_not_found);
  CHECK(world.create(token_of("ci")).error() == Error::invalid_argument);  // the same once more
}

TEST_CASE("api tokens: root's are root, unless they are confined") {
  World world;
  REQUIRE(world.create(token_of("root")).ok());
  ApiToken reader = token_of("root", 'r');
  reader.read_only = true;
  REQUIRE(world.create(reader).ok());
  CHECK(root(world, shown()) == Error::ok);
  CHECK(root(world, shown('r')) == Error::permission_denied);
  CHECK(world.check(shown('r'), Access::read, "anything") == Error::ok);
  CHECK(world.check(shown('r'), Access::write, "anything") == Error::permission_denied);
  const auto ask = [&](const Caller& caller) {
    return world.store.visible().answer({.kind = Query::Kind::tokens}, &caller, "log");
  };
  CHECK(ask(shown())->tokens.size() == 2);
  CHECK(ask(shown('r')).error() == Error::permission_denied);
}

TEST_CASE("api tokens: end when they are over, revoked, or their user is gone") {
  World world;
  ApiToken brief = token_of("ci");
  brief.expires_seconds = 3000;
  REQUIRE(world.create(brief).ok());
  REQUIRE(world.create(token_of("ci", 'b')).ok());
  CHECK(world.check(shown('a', 2999), Access::read, "b1") == Error::ok);
  CHECK(world.check(shown('a', 3000), Access::read, "b1") == Error::invalid_auth_token);

  CHECK(world.revoke("no such").error() == Error::invalid_argument);
  REQUIRE(world.revoke(token_id_of(brief.hash)).ok());
  CHECK(world.check(shown(), Access::read, "b1") == Error::invalid_auth_token);
  CHECK(world.check(shown('b'), Access::read, "b1") == Error::ok);

  Change change;
  change.kind = Kind::user_delete;
  change.user = "ci";
  REQUIRE(world.run(change).ok());
  change.kind = Kind::user_add;
  REQUIRE(world.run(change).ok());
  CHECK(world.check(shown('b'), Access::read, "b1") == Error::invalid_auth_token);
  CHECK(world.store.visible().tokens.empty());
}

TEST_CASE("api tokens: part of a hash is not enough") {
  World world;
  REQUIRE(world.create(token_of("ci")).ok());
  for (size_t i = 0; i < token_hash_bytes; ++i) {
    Caller other = shown();
    other.token_hash[i] ^= 1;
    CHECK(world.check(other, Access::read, "b1") == Error::invalid_auth_token);
  }
  Caller shorter = shown();
  shorter.token_hash.resize(8);
  CHECK(world.check(shorter, Access::read, "b1") == Error::invalid_auth_token);
  shorter.token_hash.clear();
  CHECK(world.check(shorter, Access::read, "b1") == Error::invalid_auth_token);
}

TEST_CASE("api tokens: the log brings them back, and takes them away") {
  World world;
  ApiToken full = token_of("ci", '\xfe');
  full.comment = "100%\nodd";
  full.roles = {"build", "deploy"};
  full.read_only = true;
  full.expires_seconds = 5000;
  REQUIRE(world.create(full).ok());
  REQUIRE(world.create(token_of("ci", 'x')).ok());
  REQUIRE(world.revoke(token_id_of(std::string(token_hash_bytes, 'x'))).ok());
  Store other;
  for (const Record& record : world.log) {
    REQUIRE(validate_record(record).ok());
    REQUIRE(other.apply(record).ok());
  }
  REQUIRE(other.visible().tokens.size() == 1);
  const ApiToken& back = *other.visible().tokens.begin()->second;
  CHECK(back.hash == full.hash);
  CHECK(back.user == "ci");
  CHECK(back.comment == full.comment);
  CHECK(back.roles == full.roles);
  CHECK(back.read_only);
  CHECK(back.created_seconds == 1000);
  CHECK(back.expires_seconds == 5000);
}

TEST_CASE("api tokens: a damaged record is refused") {
  World world;
  REQUIRE(world.create(token_of("ci")).ok());
  const Record good = world.log.back();
  REQUIRE(validate_record(good).ok());
  Record bad = good;
  bad.key = Bytes::copy("another");
  CHECK(validate_record(bad).error() == Error::backend_corrupt);
  bad = good;
  bad.lease = LeaseId(-1);
  CHECK(validate_record(bad).error() == Error::backend_corrupt);
  for (const char* value : {"", "00", "zz\nci\n%", "\n\n"}) {
    bad = good;
    bad.value = Bytes::copy(value);
    CHECK(validate_record(bad).error() == Error::backend_corrupt);
  }
}

TEST_CASE("api tokens: a tenant has a bounded number; what is over makes room") {
  World world;
  const auto numbered = [](int number) {
    ApiToken token = token_of("ci");
    token.hash.replace(0, 8, std::to_string(10'000'000 + number));
    return token;
  };
  std::vector<Record> records;
  for (int i = 0; i < 10'000; ++i) {
    ApiToken token = numbered(i);
    token.expires_seconds = i == 5 ? 1500 : 0;
    Change change;
    change.kind = Kind::token_create;
    change.token = token;
    records.clear();
    REQUIRE(world.store.stage(change, &records).ok());
    if (i % 500 == 0) world.store.commit();
  }
  world.store.commit();
  ApiToken one_more = token_of("ci", 'z');
  CHECK(world.create(one_more).error() == Error::resource_exhausted);
  one_more.created_seconds = 1500;
  CHECK(world.create(one_more).ok());
  CHECK(world.store.visible().tokens.size() == 10'000);
}

}  // namespace
}  // namespace lattice::auth
