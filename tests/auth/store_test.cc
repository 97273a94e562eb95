#include "auth/store.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "auth/text.h"

namespace lattice::auth {
namespace {

using keyspace::Record;
using Kind = Change::Kind;

Change user_change(Kind kind, std::string user, std::string role = {}) {
  Change change;
  change.kind = kind;
  change.user = std::move(user);
  change.role = std::move(role);
  change.password_hash = "$2a$04$hash of " + change.user;
  return change;
}

Change role_change(Kind kind, std::string role, Permission permission = {}) {
  Change change;
  change.kind = kind;
  change.role = std::move(role);
  change.has_permission = true;
  change.permission = std::move(permission);
  return change;
}

// Changes that are committed one by one, and a second store that is fed with the records.
struct Pair {
  Store store;
  std::vector<Record> log;

  Status run(const Change& change) {
    std::vector<Record> records;
    Status status = store.stage(change, &records);
    if (!status.ok()) {
      CHECK(records.empty());
      return status;
    }
    store.commit();
    log.insert(log.end(), records.begin(), records.end());
    return {};
  }
  Store replayed() const {
    Store other;
    for (const Record& record : log) {
      CHECK(validate_record(record).ok());
      CHECK(other.apply(record).ok());
    }
    return other;
  }
  uint64_t revision() const { return store.visible().revision; }
};

// Everything that two states can differ in.
std::string print(const Tables& tables) {
  std::string text = std::to_string(tables.revision) + (tables.enabled ? " on " : " off ") +
                     std::to_string(tables.token_revision_min) + "\n";
  for (const auto& [name, user] : tables.users) {
    text += name + ": " + to_text(*user) + (user->no_password ? " none " : " ") +
            std::to_string(user->password_revision) + "\n";
  }
  for (const auto& [name, role] : tables.roles) text += name + "= " + to_text(*role) + "\n";
  return text;
}

Caller named(std::string user, uint64_t revision, Caller::Kind kind = Caller::Kind::simple_token) {
  return {kind, std::move(user), revision, "log"};
}

Pair with_users() {
  Pair pair;
  CHECK(pair.run(user_change(Kind::user_add, "root")).ok());
  CHECK(pair.run(user_change(Kind::user_grant_role, "root", "root")).ok());
  CHECK(pair.run(user_change(Kind::user_add, "alice")).ok());
  CHECK(pair.run(role_change(Kind::role_add, "r")).ok());
  CHECK(pair.run(role_change(Kind::role_grant, "r", {PermissionType::read, "a", "c"})).ok());
  CHECK(pair.run(user_change(Kind::user_grant_role, "alice", "r")).ok());
  return pair;
}

TEST_CASE("auth store: the revision counts changes, and only those that change something") {
  Pair pair = with_users();
  CHECK(pair.revision() == 7);
  CHECK(pair.run(user_change(Kind::user_grant_role, "alice", "r")).ok());
  CHECK(pair.run(user_change(Kind::disable, "")).ok());
  CHECK(pair.revision() == 7);
  CHECK(pair.run(user_change(Kind::enable, "")).ok());
  CHECK(pair.run(user_change(Kind::enable, "")).ok());
  CHECK(pair.revision() == 7);
  CHECK(pair.run(user_change(Kind::disable, "")).ok());
  CHECK(pair.revision() == 8);
}

TEST_CASE("auth store: records rebuild the same state, and changes that fail leave none") {
  Pair pair = with_users();
  CHECK(pair.run(user_change(Kind::user_add, "alice")).error() == Error::user_already_exist);
  CHECK(pair.run(role_change(Kind::role_grant, "r", {PermissionType::write, "\n %", "\xff"})).ok());
  CHECK(pair.run(user_change(Kind::enable, "")).ok());
  CHECK(print(pair.replayed().visible()) == print(pair.store.visible()));
  Change gone = role_change(Kind::role_delete, "r");
  CHECK(pair.run(gone).ok());
  CHECK(pair.store.visible().user("alice")->roles.empty());
  CHECK(pair.run(user_change(Kind::user_delete, "alice")).ok());
  CHECK(pair.run(user_change(Kind::disable, "")).ok());
  CHECK(print(pair.replayed().visible()) == print(pair.store.visible()));
}

TEST_CASE(
    "auth store: what is staged counts for what is staged behind it, and rollback undoes it") {
  Pair pair = with_users();
  const std::string before = print(pair.store.visible());
  std::vector<Record> records;
  CHECK(pair.store.stage(user_change(Kind::user_add, "bob"), &records).ok());
  CHECK(pair.store.stage(user_change(Kind::user_grant_role, "bob", "r"), &records).ok());
  CHECK(pair.store.staged().user("bob")->roles.size() == 1);
  CHECK(pair.store.visible().user("bob") == nullptr);
  pair.store.rollback();
  CHECK(print(pair.store.visible()) == before);
  CHECK(print(pair.store.staged()) == before);
}

TEST_CASE("auth store: etcd's refusals") {
  Pair pair;
  CHECK(pair.run(user_change(Kind::enable, "")).error() == Error::root_user_not_exist);
  CHECK(pair.run(user_change(Kind::user_add, "")).error() == Error::user_empty);
  CHECK(pair.run(user_change(Kind::user_add, "root")).ok());
  CHECK(pair.run(user_change(Kind::enable, "")).error() == Error::root_role_not_exist);
  CHECK(pair.run(user_change(Kind::user_grant_role, "x", "root")).error() == Error::user_not_found);
  CHECK(pair.run(user_change(Kind::user_grant_role, "root", "x")).error() == Error::role_not_found);
  CHECK(pair.run(user_change(Kind::user_revoke_role, "root", "x")).error() ==
        Error::role_not_granted);
  CHECK(pair.run(role_change(Kind::role_add, "")).error() == Error::role_empty);
  CHECK(pair.run(role_change(Kind::role_delete, "x")).error() == Error::role_not_found);
  Change nothing = role_change(Kind::role_grant, "x");
  nothing.has_permission = false;
  CHECK(pair.run(nothing).error() == Error::permission_not_given);
  const auto grant = [&](std::string key, std::string end) {
    return pair.run(role_change(Kind::role_grant, "x", {PermissionType::read, key, end})).error();
  };
  CHECK(grant("", "") == Error::invalid_auth_mgmt);
  CHECK(grant("b", "b") == Error::invalid_auth_mgmt);
  CHECK(grant("b", std::string(1, '\0')) == Error::role_not_found);
  CHECK(pair.run(role_change(Kind::role_add, "x")).ok());
  CHECK(pair.run(role_change(Kind::role_add, "x")).error() == Error::role_already_exist);
  CHECK(pair.run(role_change(Kind::role_revoke, "x", {PermissionType::read, "a", ""})).error() ==
        Error::permission_not_granted);
  CHECK(pair.run(user_change(Kind::user_grant_role, "root", "root")).ok());
  CHECK(pair.run(user_change(Kind::enable, "")).ok());
  CHECK(pair.run(user_change(Kind::user_delete, "root")).error() == Error::invalid_auth_mgmt);
  CHECK(pair.run(role_change(Kind::role_delete, "root")).error() == Error::invalid_auth_mgmt);
  CHECK(pair.run(user_change(Kind::user_revoke_role, "root", "root")).error() ==
        Error::invalid_auth_mgmt);
  CHECK(pair.run(Change()).error() == Error::invalid_argument);
}

TEST_CASE("auth store: a damaged record is refused") {
  Pair pair = with_users();
  Store other;
  for (const Record& good : pair.log) {
    Record bad = good;
    bad.number = 0;
    CHECK(other.apply(bad).error() == Error::backend_corrupt);
    bad = good;
    bad.key = good.key.empty() ? Bytes::copy("x") : Bytes();
    CHECK(other.apply(bad).error() == Error::backend_corrupt);
    if (good.value.empty()) continue;
    bad = good;
    bad.value = Bytes::copy("%zz \n\n");
    CHECK(other.apply(bad).error() == Error::backend_corrupt);
  }
}

TEST_CASE("auth tables: nobody is judged while authentication is off") {
  const Pair pair = with_users();
  const Tables& tables = pair.store.visible();
  const Caller invalid;
  CHECK(tables.check_root(&invalid, "log").ok());
  CHECK(tables.check_keys(nullptr, Tables::Access::write, {"x", ""}).ok());
}

TEST_CASE("auth tables: tokens are void after what they are from has changed") {
  Pair pair = with_users();
  CHECK(pair.run(user_change(Kind::enable, "")).ok());
  const Tables& tables = pair.store.visible();
  const Caller alice = named("alice", pair.revision());
  CHECK(tables.check_token(&alice, "log").ok());
  CHECK(tables.check_token(&alice, "another log").error() == Error::invalid_auth_token);
  CHECK(tables.check_token(nullptr, "log").ok());
  CHECK(tables.check_user(nullptr, "log").error() == Error::user_empty);

  SUBCASE("a role is not enough") {
    CHECK(pair.run(user_change(Kind::user_revoke_role, "alice", "r")).ok());
    CHECK(pair.store.visible().check_token(&alice, "log").ok());
    const Status status = pair.store.visible().check_keys(&alice, Tables::Access::read, {"a", "b"});
    CHECK(status.error() == Error::permission_denied);
  }
  SUBCASE("another password") {
    CHECK(pair.run(user_change(Kind::user_change_password, "alice")).ok());
    CHECK_FALSE(pair.store.visible().check_token(&alice, "log").ok());
  }
  SUBCASE("another user of the same name") {
    CHECK(pair.run(user_change(Kind::user_delete, "alice")).ok());
    CHECK_FALSE(pair.store.visible().check_token(&alice, "log").ok());
    CHECK(pair.run(user_change(Kind::user_add, "alice")).ok());
    CHECK_FALSE(pair.store.visible().check_token(&alice, "log").ok());
  }
  SUBCASE("authentication was off") {
    CHECK(pair.run(user_change(Kind::disable, "")).ok());
    CHECK(pair.run(user_change(Kind::enable, "")).ok());
    CHECK_FALSE(pair.store.visible().check_token(&alice, "log").ok());
  }
}

TEST_CASE("auth tables: a JWT ends with any change, and names its user for good or not") {
  Pair pair = with_users();
  CHECK(pair.run(user_change(Kind::enable, "")).ok());
  const Caller jwt = named("alice", pair.revision(), Caller::Kind::signed_token);
  const Caller ghost = named("ghost", 100, Caller::Kind::signed_token);
  const auto read = [&](const Caller& caller) {
    return pair.store.visible().check_keys(&caller, Tables::Access::read, {"a", "b"}).error();
  };
  CHECK(read(jwt) == Error::ok);
  CHECK(read(ghost) == Error::permission_denied);
  CHECK(pair.store.visible().check_root(&ghost, "log").error() == Error::user_not_found);
  CHECK(pair.run(role_change(Kind::role_add, "other")).ok());
  CHECK(read(jwt) == Error::auth_old_revision);
  const Caller cert = named("alice", 0, Caller::Kind::certificate);
  CHECK(read(cert) == Error::ok);
}

TEST_CASE("auth tables: users see themselves, and roles that they hold") {
  Pair pair = with_users();
  CHECK(pair.run(user_change(Kind::enable, "")).ok());
  const Tables& tables = pair.store.visible();
  const Caller alice = named("alice", pair.revision());
  const auto ask = [&](Query::Kind kind, std::string name, const Caller* caller) {
    return tables.answer({.kind = kind, .name = std::move(name)}, caller, "log").error();
  };
  CHECK(ask(Query::Kind::user, "alice", &alice) == Error::ok);
  CHECK(ask(Query::Kind::user, "root", &alice) == Error::permission_denied);
  CHECK(ask(Query::Kind::user, "alice", nullptr) == Error::user_empty);
  CHECK(ask(Query::Kind::role, "r", &alice) == Error::ok);
  CHECK(ask(Query::Kind::role, "root", &alice) == Error::permission_denied);
  CHECK(ask(Query::Kind::users, "", &alice) == Error::permission_denied);
  CHECK(ask(Query::Kind::roles, "", nullptr) == Error::user_empty);
  CHECK(ask(Query::Kind::status, "", nullptr) == Error::ok);
  const Caller invalid;
  CHECK(ask(Query::Kind::status, "", &invalid) == Error::invalid_auth_token);
}

TEST_CASE("auth text: anything comes back as it was") {
  User user;
  user.password_hash = std::string("$2a$\n%\0\xff", 8);
  user.roles = {"", " ", "%", "a b", "z"};
  User back;
  REQUIRE(from_text(to_text(user), &back).ok());
  CHECK(back.password_hash == user.password_hash);
  CHECK(back.roles == user.roles);
  Role role;
  role.permissions = {{PermissionType::read, "a", ""},
                      {PermissionType::readwrite, "a b", std::string(1, '\0')},
                      {static_cast<PermissionType>(7), "%", "\n"}};
  Role again;
  REQUIRE(from_text(to_text(role), &again).ok());
  CHECK(again.permissions == role.permissions);
  CHECK(to_text(role) == "read a\nreadwrite a%20b %00\ntype-7 %25 %0A");
}

}  // namespace
}  // namespace lattice::auth
