#include "auth/store.h"

#include <algorithm>

#include "auth/text.h"
#include "base/planted.h"

namespace lattice::auth {
namespace {

using keyspace::Record;
using keyspace::RecordKind;

bool is_inverted(const Permission& permission) {
  return !permission.end.empty() && permission.end != std::string_view("\0", 1) &&
         permission.key >= permission.end;
}

// Of a tenant; those that are over make room for new ones.
constexpr size_t tokens_max = 10'000;
constexpr size_t token_comment_bytes_max = 256;

// One change, on its way into a copy of the tables and into records.
class Editor {
 public:
  Editor(Tables* tables, std::vector<Record>* records) : tables_(*tables), records_(*records) {}

  Status run(const Change& change) {
    switch (change.kind) {
      case Change::Kind::none:
        return Error::invalid_argument;
      case Change::Kind::enable:
        return enable();
      case Change::Kind::disable:
        return disable();
      case Change::Kind::user_add:
        return user_add(change);
      case Change::Kind::user_delete:
        return user_delete(change);
      case Change::Kind::user_change_password:
        return user_change_password(change);
      case Change::Kind::user_grant_role:
        return user_grant_role(change);
      case Change::Kind::user_revoke_role:
        return user_revoke_role(change);
      case Change::Kind::role_add:
        return role_add(change);
      case Change::Kind::role_delete:
        return role_delete(change);
      case Change::Kind::role_grant:
        return role_grant(change);
      case Change::Kind::role_revoke:
        return role_revoke(change);
      case Change::Kind::token_create:
        return token_create(change.token);
      case Change::Kind::token_revoke:
        return token_revoke(change.token_id);
    }
    return Error::invalid_argument;
  }

 private:
  Status enable() {
    if (tables_.enabled) return {};
    const User* named = tables_.user(root_name);
    if (named == nullptr) return Error::root_user_not_exist;
    if (!has_role(*named, root_name)) return Error::root_role_not_exist;
    tables_.enabled = true;
    put_state();
    return {};
  }

  Status disable() {
    if (!tables_.enabled) return {};
    tables_.enabled = false;
    tables_.token_revision_min = tables_.revision + 1;
    return finish();
  }

  Status user_add(const Change& change) {
    if (change.user.empty()) return Error::user_empty;
    if (tables_.user(change.user) != nullptr) return Error::user_already_exist;
    put_user(change.user, {change.no_password ? std::string() : change.password_hash,
                           change.no_password,
                           tables_.revision + 1,
                           {}});
    return finish();
  }

  Status user_delete(const Change& change) {
    if (tables_.enabled && change.user == root_name) return Error::invalid_auth_mgmt;
    if (tables_.users.erase(change.user) == 0) return Error::user_not_found;
    put_record(RecordKind::auth_user_deleted, change.user);
    // A user of the same name, made later, is another one.
    revoke_if([&](const ApiToken& token) { return token.user == change.user; });
    return finish();
  }

  Status user_change_password(const Change& change) {
    const User* named = tables_.user(change.user);
    if (named == nullptr) return Error::user_not_found;
    User user = *named;
    user.password_hash = user.no_password ? std::string() : change.password_hash;
    user.password_revision = tables_.revision + 1;
    put_user(change.user, std::move(user));
    return finish();
  }

  Status user_grant_role(const Change& change) {
    const User* named = tables_.user(change.user);
    if (named == nullptr) return Error::user_not_found;
    if (change.role != root_name && tables_.role(change.role) == nullptr)
      return Error::role_not_found;
    if (has_role(*named, change.role)) return {};
    User user = *named;
    user.roles.insert(std::ranges::lower_bound(user.roles, change.role), change.role);
    put_user(change.user, std::move(user));
    return finish();
  }

  Status user_revoke_role(const Change& change) {
    if (tables_.enabled && change.user == root_name && change.role == root_name) {
      return Error::invalid_auth_mgmt;
    }
    const User* named = tables_.user(change.user);
    if (named == nullptr) return Error::user_not_found;
    if (!has_role(*named, change.role)) return Error::role_not_granted;
    User user = *named;
    std::erase(user.roles, change.role);
    put_user(change.user, std::move(user));
    return finish();
  }

  Status role_add(const Change& change) {
    if (change.role.empty()) return Error::role_empty;
    if (tables_.role(change.role) != nullptr) return Error::role_already_exist;
    put_role(change.role, {});
    return finish();
  }

  Status role_delete(const Change& change) {
    if (tables_.enabled && change.role == root_name) return Error::invalid_auth_mgmt;
    if (tables_.roles.erase(change.role) == 0) return Error::role_not_found;
    put_record(RecordKind::auth_role_deleted, change.role);
    std::vector<std::string> holders;
    for (const auto& [name, user] : tables_.users) {
      if (has_role(*user, change.role)) holders.push_back(name);
    }
    for (const std::string& name : holders) {
      User user = *tables_.user(name);
      std::erase(user.roles, change.role);
      put_user(name, std::move(user));
    }
    return finish();
  }

  Status role_grant(const Change& change) {
    const Permission& wanted = change.permission;
    if (!change.has_permission) return Error::permission_not_given;
    if (wanted.key.empty() || is_inverted(wanted)) return Error::invalid_auth_mgmt;
    const Role* named = tables_.role(change.role);
    if (named == nullptr) return Error::role_not_found;
    Role role = *named;
    // Of several ranges that begin at one key, only the first is looked at: etcd's way.
    const auto at = std::ranges::lower_bound(role.permissions, wanted.key, {}, &Permission::key);
    if (at != role.permissions.end() && at->key == wanted.key && at->end == wanted.end) {
      at->type = wanted.type;
    } else {
      const auto behind =
          std::ranges::upper_bound(role.permissions, wanted.key, {}, &Permission::key);
      role.permissions.insert(behind, wanted);
    }
    put_role(change.role, std::move(role));
    return finish();
  }

  Status role_revoke(const Change& change) {
    const Role* named = tables_.role(change.role);
    if (named == nullptr) return Error::role_not_found;
    Role role = *named;
    const size_t gone = std::erase_if(role.permissions, [&](const Permission& one) {
      return one.key == change.permission.key && one.end == change.permission.end;
    });
    if (gone == 0) return Error::permission_not_granted;
    put_role(change.role, std::move(role));
    return finish();
  }

  Status token_create(ApiToken token) {
    const int64_t now = token.created_seconds;
    if (token.hash.size() != token_hash_bytes || token.comment.size() > token_comment_bytes_max ||
        now < 0 || token.expires_seconds < 0) {
      return Error::invalid_argument;
    }
    const User* named = tables_.user(token.user);
    if (named == nullptr) return Error::user_not_found;
    std::ranges::sort(token.roles);
    token.roles.erase(std::unique(token.roles.begin(), token.roles.end()), token.roles.end());
    for (const std::string& role : token.roles) {
      if (!has_role(*named, role)) return Error::role_not_granted;
    }
    const std::string id = token_id_of(token.hash);
    if (tables_.tokens.contains(id)) return Error::invalid_argument;
    if (tables_.tokens.size() >= tokens_max) {
      const auto over = [now](const ApiToken& old) {
        return old.expires_seconds != 0 && old.expires_seconds <= now;
      };
      revoke_if(over);
      if (tables_.tokens.size() >= tokens_max) {
        return {Error::resource_exhausted, "lattice: there are too many API tokens"};
      }
    }
    Record& record = put_record(RecordKind::auth_token, id);
    record.number = static_cast<int64_t>(tables_.revision);
    record.value = Bytes::copy(to_text(token));
    record.version = token.read_only ? 1 : 0;
    record.create_revision = Revision(token.created_seconds);
    record.lease = LeaseId(token.expires_seconds);
    tables_.forget_access();
    tables_.tokens[id] = std::make_shared<const ApiToken>(std::move(token));
    return {};
  }

  Status token_revoke(const std::string& id) {
    if (!tables_.tokens.contains(id)) {
      return {Error::invalid_argument, "lattice: there is no such API token"};
    }
    revoke_if([&](const ApiToken& token) { return token_id_of(token.hash) == id; });
    return {};
  }

  template <class Condition>
  void revoke_if(Condition condition) {
    for (auto at = tables_.tokens.begin(); at != tables_.tokens.end();) {
      if (!condition(*at->second)) {
        ++at;
        continue;
      }
      put_record(RecordKind::auth_token_revoked, at->first).number =
          static_cast<int64_t>(tables_.revision);
      at = tables_.tokens.erase(at);
    }
    tables_.forget_access();
  }

  Record& put_record(RecordKind kind, std::string_view name) {
    Record record;
    record.kind = kind;
    record.key = Bytes::copy(name);
    record.number = static_cast<int64_t>(tables_.revision + 1);
    return records_.emplace_back(std::move(record));
  }
  void put_user(const std::string& name, User user) {
    Record& record = put_record(RecordKind::auth_user, name);
    record.value = Bytes::copy(to_text(user));
    record.version = user.no_password ? 1 : 0;
    record.create_revision = Revision(static_cast<int64_t>(user.password_revision));
    tables_.users[name] = std::make_shared<const User>(std::move(user));
  }
  void put_role(const std::string& name, Role role) {
    put_record(RecordKind::auth_role, name).value = Bytes::copy(to_text(role));
    tables_.roles[name] = std::make_shared<const Role>(std::move(role));
  }
  void put_state() {
    Record record;
    record.kind = RecordKind::auth_state;
    record.number = static_cast<int64_t>(tables_.revision);
    record.version = tables_.enabled ? 1 : 0;
    record.create_revision = Revision(static_cast<int64_t>(tables_.token_revision_min));
    records_.push_back(std::move(record));
  }
  Status finish() {
    ++tables_.revision;
    tables_.forget_access();
    put_state();
    return {};
  }

  Tables& tables_;
  std::vector<Record>& records_;
};

Result<User> read_user(const Record& record) {
  User user;
  if (Status status = from_text(record.value.view(), &user); !status.ok()) return status;
  user.no_password = record.version == 1;
  user.password_revision = static_cast<uint64_t>(record.create_revision.value);
  return user;
}

Result<ApiToken> read_token(const Record& record) {
  ApiToken token;
  if (Status status = from_text(record.value.view(), &token); !status.ok()) return status;
  token.read_only = record.version == 1;
  token.created_seconds = record.create_revision.value;
  token.expires_seconds = record.lease.value;
  return token;
}

}  // namespace

Status Store::stage(const Change& change, std::vector<Record>* records) {
  auto edited = std::make_shared<Tables>(*staged_);
  if (Status status = Editor(edited.get(), records).run(change); !status.ok()) return status;
  staged_ = std::move(edited);
  return {};
}

Status Store::apply(const Record& record) {
  if (Status status = validate_record(record); !status.ok()) return status;
  ++changes_;
  Tables& tables = *visible_;
  const std::string name(record.key.view());
  switch (record.kind) {
    case RecordKind::auth_user:
      tables.users[name] = std::make_shared<const User>(*read_user(record));
      break;
    case RecordKind::auth_user_deleted:
      tables.users.erase(name);
      break;
    case RecordKind::auth_role: {
      Role role;
      if (Status status = from_text(record.value.view(), &role); !status.ok()) return status;
      tables.roles[name] = std::make_shared<const Role>(std::move(role));
      break;
    }
    case RecordKind::auth_role_deleted:
      tables.roles.erase(name);
      break;
    case RecordKind::auth_token:
      tables.tokens[name] = std::make_shared<const ApiToken>(*read_token(record));
      break;
    case RecordKind::auth_token_revoked:
      if (!planted(Planted::revoked_token_accepted)) tables.tokens.erase(name);
      break;
    case RecordKind::auth_state:
      tables.revision = static_cast<uint64_t>(record.number);
      tables.enabled = record.version == 1;
      tables.token_revision_min = static_cast<uint64_t>(record.create_revision.value);
      break;
    default:
      return {};
  }
  if (!planted(Planted::permissions_not_forgotten)) tables.forget_access();
  return {};
}

Status validate_record(const Record& record) {
  const bool is_state = record.kind == RecordKind::auth_state;
  if (record.number < 1) return corrupt("an auth revision below 1");
  if (record.create_revision.value < 0) return corrupt("a negative auth revision");
  if (record.version != 0 && record.version != 1) return corrupt("an auth flag that is none");
  if (is_state != record.key.empty()) return corrupt("a user or role without a name");
  if (record.kind == RecordKind::auth_user) return read_user(record).status();
  if (record.kind == RecordKind::auth_token) {
    const Result<ApiToken> token = read_token(record);
    if (!token.ok()) return token.status();
    if (record.lease.value < 0) return corrupt("a token that ends before 1970");
    if (token_id_of(token->hash) != record.key.view()) return corrupt("a token of another name");
  }
  Role role;
  if (record.kind == RecordKind::auth_role) return from_text(record.value.view(), &role);
  return {};
}

}  // namespace lattice::auth
