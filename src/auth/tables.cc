#include "auth/tables.h"

#include <algorithm>

#include "base/hex.h"
#include "base/planted.h"

namespace lattice::auth {
namespace {

// Credentials that name nobody, or none.
bool is_nobody(const Caller* caller) {
  return caller == nullptr || (caller->kind != Caller::Kind::api_token && caller->user.empty());
}

}  // namespace

bool has_role(const User& user, std::string_view role) {
  return std::ranges::binary_search(user.roles, role, {},
                                    [](const std::string& held) { return std::string_view(held); });
}

const User* Tables::user(std::string_view name) const {
  const auto at = users.find(name);
  return at == users.end() ? nullptr : at->second.get();
}

const Role* Tables::role(std::string_view name) const {
  const auto at = roles.find(name);
  return at == roles.end() ? nullptr : at->second.get();
}

std::string token_id_of(std::string_view hash) { return to_hex(hash.substr(0, 8)); }

const ApiToken* Tables::token(const Caller& caller) const {
  if (caller.token_hash.size() != token_hash_bytes) return nullptr;
  const auto at = tokens.find(token_id_of(caller.token_hash));
  if (at == tokens.end() || at->second->hash != caller.token_hash) return nullptr;
  return at->second.get();
}

Tables::Acting Tables::acting(const Caller& caller) const {
  if (caller.kind != Caller::Kind::api_token) return {caller.user, user(caller.user), nullptr};
  const ApiToken* shown = token(caller);
  if (shown == nullptr) return {};
  return {shown->user, user(shown->user), shown};
}

bool Tables::acts_as_root(const Acting& who) const {
  if (who.user == nullptr || !has_role(*who.user, root_name)) return false;
  if (who.token == nullptr) return true;
  const std::vector<std::string>& only = who.token->roles;
  return !who.token->read_only && (only.empty() || std::ranges::count(only, root_name) > 0);
}

Status Tables::check_token(const Caller* caller, std::string_view realm) const {
  if (!enabled || caller == nullptr) return {};
  if (caller->kind == Caller::Kind::invalid) return Error::invalid_auth_token;
  const bool elsewhere = !caller->realm.empty() && caller->realm != realm;
  if (elsewhere && !planted(Planted::realm_not_checked)) return Error::invalid_auth_token;
  if (caller->kind == Caller::Kind::api_token) {
    const Acting who = acting(*caller);
    const bool ended = who.token != nullptr && who.token->expires_seconds != 0 &&
                       caller->seen_seconds >= who.token->expires_seconds &&
                       !planted(Planted::ended_token_accepted);
    return who.user != nullptr && !ended ? Status() : Status(Error::invalid_auth_token);
  }
  if (caller->kind != Caller::Kind::simple_token) return {};
  const User* named = user(caller->user);
  const bool good = named != nullptr && caller->revision >= token_revision_min &&
                    caller->revision >= named->password_revision;
  return good ? Status() : Status(Error::invalid_auth_token);
}

Status Tables::check_user(const Caller* caller, std::string_view realm) const {
  if (Status status = check_token(caller, realm); !status.ok()) return status;
  return enabled && is_nobody(caller) ? Status(Error::user_empty) : Status();
}

Status Tables::check_root(const Caller* caller, std::string_view realm) const {
  if (Status status = check_user(caller, realm); !status.ok() || !enabled) return status;
  const Acting who = acting(*caller);
  if (who.user == nullptr) return Error::user_not_found;
  return acts_as_root(who) ? Status() : Status(Error::permission_denied);
}

Status Tables::check_writer(const Caller* caller, std::string_view realm) const {
  if (Status status = check_user(caller, realm); !status.ok() || !enabled) return status;
  const ApiToken* shown = acting(*caller).token;
  return shown != nullptr && shown->read_only ? Status(Error::permission_denied) : Status();
}

void Tables::add_role(std::string_view name, Reach* reach) const {
  if (name == root_name) reach->all = true;
  const Role* granted = role(name);
  if (granted == nullptr) return;
  for (const Permission& one : granted->permissions) {
    const bool both = one.type == PermissionType::readwrite;
    if (both || one.type == PermissionType::read) reach->read.add(one.key, one.end);
    if (both || one.type == PermissionType::write) reach->write.add(one.key, one.end);
  }
}

const Tables::Reach& Tables::reach_of(const Acting& who) const {
  const bool confined = who.token != nullptr && !who.token->roles.empty();
  auto& known = confined ? token_access_ : access_;
  const std::string_view name = confined ? std::string_view(who.token->hash) : who.name;
  if (const auto at = known.find(name); at != known.end()) return at->second;
  Reach& reach = known[name];
  for (const std::string& held : confined ? who.token->roles : who.user->roles) {
    if (has_role(*who.user, held)) add_role(held, &reach);
  }
  reach.read.settle();
  reach.write.settle();
  return reach;
}

Status Tables::check_keys(const Caller* caller, Access access,
                          const keyspace::KeyRange& range) const {
  if (!enabled) return {};
  if (is_nobody(caller)) return Error::user_empty;
  if (caller->kind == Caller::Kind::signed_token && caller->revision < revision) {
    return Error::auth_old_revision;
  }
  const Acting who = acting(*caller);
  const bool reads_only = who.token != nullptr && who.token->read_only;
  if (who.user == nullptr || (reads_only && access == Access::write)) {
    return Error::permission_denied;
  }
  const Reach& reach = reach_of(who);
  if (reach.all) return {};
  const KeyIntervals& keys = access == Access::read ? reach.read : reach.write;
  return keys.cover(range.key, range.end) ? Status() : Status(Error::permission_denied);
}

Status Tables::check(const Caller* caller, const keyspace::RangeRequest& request) const {
  return check_keys(caller, Access::read, request.range);
}

Status Tables::check(const Caller* caller, const keyspace::DeleteRangeRequest& request) const {
  if (Status status = check_keys(caller, Access::write, request.range); !status.ok()) {
    return status;
  }
  return request.prev_kv ? check_keys(caller, Access::read, request.range) : Status();
}

Result<Answer> Tables::answer_user(const std::string& name, const Caller* caller,
                                   const Status& root_only) const {
  if (!root_only.ok() && (is_nobody(caller) || acting(*caller).name != name)) return root_only;
  const User* named = user(name);
  if (named == nullptr) return Error::user_not_found;
  Answer answer;
  answer.user = *named;
  return answer;
}

Result<Answer> Tables::answer_role(const std::string& name, const Caller* caller,
                                   const Status& root_only) const {
  if (!root_only.ok()) {
    const User* asking = caller == nullptr ? nullptr : acting(*caller).user;
    if (asking == nullptr || !has_role(*asking, name)) return root_only;
  }
  const Role* named = role(name);
  if (named == nullptr) return Error::role_not_found;
  Answer answer;
  answer.permissions = named->permissions;
  if (name == root_name) {
    answer.permissions = {{PermissionType::readwrite, {}, std::string(1, '\0')}};
  }
  return answer;
}

Result<Answer> Tables::answer(const Query& query, const Caller* caller,
                              std::string_view realm) const {
  if (Status status = check_token(caller, realm); !status.ok()) return status;
  Result<Answer> result = Answer();
  const Status root_only = check_root(caller, realm);
  switch (query.kind) {
    case Query::Kind::status:
      break;
    case Query::Kind::login:
      if (!enabled) return Error::auth_not_enabled;
      if (const User* named = user(query.name)) {
        result->names = {query.name};
        result->user = *named;
      }
      break;
    case Query::Kind::user:
      result = answer_user(query.name, caller, root_only);
      break;
    case Query::Kind::role:
      result = answer_role(query.name, caller, root_only);
      break;
    case Query::Kind::caller:
      if (Status status = check_user(caller, realm); !status.ok()) return status;
      break;
    case Query::Kind::root:
      if (!root_only.ok()) return root_only;
      break;
    case Query::Kind::users:
      if (!root_only.ok()) return root_only;
      for (const auto& [name, one] : users) result->names.push_back(name);
      break;
    case Query::Kind::roles:
      if (!root_only.ok()) return root_only;
      for (const auto& [name, one] : roles) result->names.push_back(name);
      break;
    case Query::Kind::tokens:
      if (!root_only.ok()) return root_only;
      for (const auto& [id, one] : tokens) result->tokens.push_back(*one);
      break;
  }
  if (!result.ok()) return result;
  result->enabled = enabled;
  result->revision = revision;
  return result;
}

}  // namespace lattice::auth
