// Users, roles and permissions as etcd's Auth service has them, and who calls.
// Thread: values.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"

namespace lattice::auth {

// The user that must exist before authentication is switched on, and the role that may do all.
inline constexpr std::string_view root_name = "root";

// etcd's authpb.Permission.Type; other numbers are kept and grant nothing.
enum class PermissionType : int32_t { read = 0, write = 1, readwrite = 2 };

// An empty end is the one key, an end of "\0" is open (etcd-v3.md 1.9).
struct Permission {
  PermissionType type = PermissionType::read;
  std::string key;
  std::string end;

  bool operator==(const Permission&) const = default;
};

struct User {
  std::string password_hash;  // bcrypt's text; empty: nobody can log in by password
  bool no_password = false;   // may be named by a certificate only
  // The auth revision since which the password is as it is: simple tokens from before are void.
  uint64_t password_revision = 0;
  std::vector<std::string> roles;  // sorted
};

struct Role {
  std::vector<Permission> permissions;  // sorted by key
};

// A token for a machine (docs/decisions/0014): acts for a user, with what the user may do or less.
struct ApiToken {
  std::string hash;  // SHA-256 of the secret that its holder sends
  std::string user;
  std::string comment;
  std::vector<std::string> roles;  // sorted; only what these grant. Empty: all that the user has
  bool read_only = false;
  int64_t created_seconds = 0;  // since 1970, by the clock of the node that made it
  int64_t expires_seconds = 0;  // 0: never
};
inline constexpr size_t token_hash_bytes = 32;

// The public name of a token: the beginning of its hash, in hexadecimal.
std::string token_id_of(std::string_view hash);

// Whom a call's credentials name. They were verified where the call arrived; what the user may do,
// and whether the credentials have been overtaken, is decided on the state that the call meets.
struct Caller {
  enum class Kind : uint8_t {
    invalid,       // there was a token, but none of ours, or too old
    simple_token,  // void once the password changes or authentication is switched off
    signed_token,  // JWT: void once any user or role changes
    certificate,
    api_token,  // for a machine: whom it names is looked up by token_hash
  };
  static constexpr Kind last_kind = Kind::api_token;
  Kind kind = Kind::invalid;
  std::string user;
  uint64_t revision = 0;  // the auth revision when the token was made
  std::string realm;      // the log that the token is for; empty: any
  // Of an API token: the hash of what was sent, and when, by the clock of the node that it met.
  std::string token_hash = {};
  int64_t seen_seconds = 0;
};
// Null: the call has no credentials.
using CallerRef = std::shared_ptr<const Caller>;

// A request that changes users, roles or whether they count. One struct for all of them: the kind
// says which fields are meant.
struct Change {
  // The numbers are those of proto/lattice/peer/v1/peer.proto.
  enum class Kind : uint8_t {
    none = 0,
    enable = 1,
    disable = 2,
    user_add = 3,              // user, password_hash, no_password
    user_delete = 4,           // user
    user_change_password = 5,  // user, password_hash
    user_grant_role = 6,       // user, role
    user_revoke_role = 7,      // user, role
    role_add = 8,              // role
    role_delete = 9,           // role
    role_grant = 10,           // role, permission
    role_revoke = 11,          // role, permission's key and end
    token_create = 12,         // token
    token_revoke = 13,         // token_id
  };
  static constexpr Kind last_kind = Kind::token_revoke;
  Kind kind = Kind::none;
  std::string user = {};
  std::string role = {};
  std::string password_hash = {};
  bool no_password = false;
  bool has_permission = false;
  Permission permission = {};
  ApiToken token = {};
  std::string token_id = {};
};

struct Query {
  enum class Kind : uint8_t {
    status,
    user,
    users,
    role,
    roles,
    // What a password is compared with; never a client's question. `names` is empty where there
    // is no such user.
    login,
    caller,  // nothing but whether there is a user who calls
    root,    // nothing but whether the caller may administer
    tokens,  // for machines
  };
  Kind kind = Kind::status;
  std::string name = {};
  bool serializable = false;  // on what this replica has, which may be old
};

struct Answer {
  Revision header_revision;
  bool enabled = false;
  uint64_t revision = 0;
  User user;
  std::vector<std::string> names;
  std::vector<Permission> permissions;
  std::vector<ApiToken> tokens;
  std::string realm;
};

}  // namespace lattice::auth
