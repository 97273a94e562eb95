// The users, roles and API tokens of one tenant, and what each user may do: etcd's rules, evaluated
// on one state (etcd-v3.md 1.9).
//
// Thread: one; the owner's. Pure: no I/O, no clock, no randomness.
// Ownership: a value; copies share the users and roles, which are immutable.
// Invariants: every check allows everything while authentication is off.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "auth/key_intervals.h"
#include "auth/types.h"
#include "base/status.h"
#include "base/string_hash.h"
#include "keyspace/requests.h"

namespace lattice::auth {

class Tables {
 public:
  bool enabled = false;
  uint64_t revision = 1;
  // Simple tokens of older revisions are void: authentication was off since.
  uint64_t token_revision_min = 0;
  std::map<std::string, std::shared_ptr<const User>, std::less<>> users;
  std::map<std::string, std::shared_ptr<const Role>, std::less<>> roles;
  std::map<std::string, std::shared_ptr<const ApiToken>, std::less<>> tokens;  // by id

  const User* user(std::string_view name) const;
  const Role* role(std::string_view name) const;
  // The API token that the caller showed, over or not; null: there is none.
  const ApiToken* token(const Caller& caller) const;
  // Users, roles or tokens were changed.
  void forget_access() {
    access_.clear();
    token_access_.clear();
  }

  // ---- Who calls ----
  // Errors of all checks: etcd's (4.11): invalid_auth_token, user_empty, auth_old_revision,
  // user_not_found, permission_denied.
  // Whether the credentials, if there are any, are good.
  Status check_token(const Caller* caller, std::string_view realm) const;
  // Good ones, and there are some.
  Status check_user(const Caller* caller, std::string_view realm) const;
  Status check_root(const Caller* caller, std::string_view realm) const;
  // A user, who is not confined to reading.
  Status check_writer(const Caller* caller, std::string_view realm) const;

  // ---- What it may do. Require: check_token() passed. ----
  enum class Access : uint8_t { read, write };
  Status check_keys(const Caller* caller, Access access, const keyspace::KeyRange& range) const;
  Status check(const Caller* caller, const keyspace::RangeRequest& request) const;
  Status check(const Caller* caller, const keyspace::DeleteRangeRequest& request) const;

  // A question about users and roles, that caller's. Errors: also user_not_found, role_not_found,
  // auth_not_enabled. Answers all but header_revision and realm.
  Result<Answer> answer(const Query& query, const Caller* caller, std::string_view realm) const;

 private:
  struct Reach {
    bool all = false;
    KeyIntervals read;
    KeyIntervals write;
  };
  // Whom a caller is here; `user` is null for nobody. An API token is its user, with less.
  struct Acting {
    std::string_view name;
    const User* user = nullptr;
    const ApiToken* token = nullptr;
  };
  Acting acting(const Caller& caller) const;
  bool acts_as_root(const Acting& who) const;
  const Reach& reach_of(const Acting& who) const;
  void add_role(std::string_view name, Reach* reach) const;
  Result<Answer> answer_user(const std::string& name, const Caller* caller,
                             const Status& root) const;
  Result<Answer> answer_role(const std::string& name, const Caller* caller,
                             const Status& root) const;

  mutable absl::flat_hash_map<std::string, Reach, StringHash, StringEqual> access_;  // by user
  // Of tokens with roles of their own, by hash.
  mutable absl::flat_hash_map<std::string, Reach, StringHash, StringEqual> token_access_;
};

bool has_role(const User& user, std::string_view role);

}  // namespace lattice::auth
