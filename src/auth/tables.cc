#include "auth/tables.h"

#include <algorithm>

namespace lattice::auth {

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

Status Tables::check_token(const Caller* caller, std::string_view realm) const {
  if (!enabled || caller == nullptr) return {};
  if (caller->kind == Caller::Kind::invalid) return Error::invalid_auth_token;
  if (!caller->realm.empty() && caller->realm != realm) return Error::invalid_auth_token;
  if (caller->kind != Caller::Kind::simple_token) return {};
  const User* named = user(caller->user);
  const bool good = named != nullptr && caller->revision >= token_revision_min &&
                    caller->revision >= named->password_revision;
  return good ? Status() : Status(Error::invalid_auth_token);
}

Status Tables::check_user(const Caller* caller, std::string_view realm) const {
  if (Status status = check_token(caller, realm); !status.ok()) return status;
  if (enabled && (caller == nullptr || caller->user.empty())) return Error::user_empty;
  return {};
}

Status Tables::check_root(const Caller* caller, std::string_view realm) const {
  if (Status status = check_user(caller, realm); !status.ok() || !enabled) return status;
  const User* named = user(caller->user);
  if (named == nullptr) return Error::user_not_found;
  return has_role(*named, root_name) ? Status() : Status(Error::permission_denied);
}

const Tables::Reach& Tables::reach_of(const std::string& name, const User& user) const {
  const auto [at, fresh] = access_.try_emplace(name);
  Reach& reach = at->second;
  if (!fresh) return reach;
  reach.all = has_role(user, root_name);
  for (const std::string& held : user.roles) {
    const Role* granted = role(held);
    if (granted == nullptr) continue;
    for (const Permission& one : granted->permissions) {
      const bool both = one.type == PermissionType::readwrite;
      if (both || one.type == PermissionType::read) reach.read.add(one.key, one.end);
      if (both || one.type == PermissionType::write) reach.write.add(one.key, one.end);
    }
  }
  reach.read.settle();
  reach.write.settle();
  return reach;
}

Status Tables::check_keys(const Caller* caller, Access access,
                          const keyspace::KeyRange& range) const {
  if (!enabled) return {};
  if (caller == nullptr || caller->user.empty()) return Error::user_empty;
  if (caller->kind == Caller::Kind::signed_token && caller->revision < revision) {
    return Error::auth_old_revision;
  }
  const User* named = user(caller->user);
  if (named == nullptr) return Error::permission_denied;
  const Reach& reach = reach_of(caller->user, *named);
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
  if (!root_only.ok() && (caller == nullptr || caller->user != name)) return root_only;
  const User* named = user(name);
  if (named == nullptr) return Error::user_not_found;
  Answer answer;
  answer.user = *named;
  return answer;
}

Result<Answer> Tables::answer_role(const std::string& name, const Caller* caller,
                                   const Status& root_only) const {
  if (!root_only.ok()) {
    const User* asking = caller == nullptr ? nullptr : user(caller->user);
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
  }
  if (!result.ok()) return result;
  result->enabled = enabled;
  result->revision = revision;
  return result;
}

}  // namespace lattice::auth
