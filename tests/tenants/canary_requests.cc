#include "canary_requests.h"

#include <utility>

#include "proto/rpc.pb.h"
#include "proto/v3election.pb.h"
#include "proto/v3lock.pb.h"

namespace lattice::canary {
namespace {

namespace pb = etcdserverpb;

constexpr uint64_t keys = 40;
constexpr uint64_t leases = 6;
constexpr uint64_t users = 5;

Request framed(std::string_view path, const google::protobuf::Message& message) {
  const std::string bytes = message.SerializeAsString();
  const auto size = static_cast<uint32_t>(bytes.size());
  std::string body{0, static_cast<char>(size >> 24), static_cast<char>(size >> 16),
                   static_cast<char>(size >> 8), static_cast<char>(size)};
  return {path, body + bytes};
}

}  // namespace

Requests::Requests(std::string tenant, uint64_t seed, bool with_users)
    : tenant_(std::move(tenant)),
      marker_(marker(tenant_)),
      random_(seed),
      with_users_(with_users) {}

bool Requests::chance(double share) {
  return std::uniform_real_distribution<>(0, 1)(random_) < share;
}

std::string Requests::key() {
  const std::string common = "key-" + std::to_string(below(keys));
  return chance(0.5) ? common : common + marker_;
}

std::string Requests::name(std::string_view what) {
  return std::string(what) + std::to_string(below(users)) + marker_;
}

std::string Requests::password() const { return std::string(secret_start) + tenant_ + ">"; }

Request Requests::watch_all() {
  pb::WatchRequest request;
  pb::WatchCreateRequest& create = *request.mutable_create_request();
  create.set_key(std::string(1, '\0'));
  create.set_range_end(std::string(1, '\0'));
  create.set_prev_kv(true);
  create.set_start_revision(1);
  return framed("/etcdserverpb.Watch/Watch", request);
}

Request Requests::authenticate() const {
  pb::AuthenticateRequest request;
  request.set_name("root");
  request.set_password(password());
  return framed("/etcdserverpb.Auth/Authenticate", request);
}

Request Requests::next() {
  const uint64_t what = below(100);
  if (what < 70) return of_keys();
  if (what < 85) return of_leases();
  if (what < 90 && with_users_) return of_users();
  return of_the_rest();
}

Request Requests::of_keys() {
  const auto all = [this](auto& range) {
    range.set_key(std::string(1, '\0'));
    range.set_range_end(std::string(1, '\0'));
    range.set_limit(chance(0.8) ? 3 : 0);
    range.set_serializable(chance(0.3));
    range.set_keys_only(chance(0.1));
  };
  const auto put = [this](auto& request, bool leased) {
    request.set_key(key());
    for (uint64_t i = below(4) + 1; i > 0; --i) request.mutable_value()->append(marker_);
    request.set_prev_kv(chance(0.5));
    if (leased && chance(0.2)) request.set_lease(static_cast<int64_t>(below(leases) + 1));
  };
  const uint64_t what = below(100);
  if (what < 40) {
    pb::PutRequest request;
    put(request, true);
    return framed("/etcdserverpb.KV/Put", request);
  }
  if (what < 60) {
    pb::RangeRequest request;
    all(request);
    if (chance(0.3)) request.set_revision(static_cast<int64_t>(below(revision_ + 10)));
    return framed(chance(0.8) ? "/etcdserverpb.KV/Range" : "/etcdserverpb.KV/RangeStream", request);
  }
  if (what < 75) {
    pb::DeleteRangeRequest request;
    request.set_key(key());
    request.set_prev_kv(true);
    return framed("/etcdserverpb.KV/DeleteRange", request);
  }
  if (what == 75 && chance(0.1)) {
    pb::CompactionRequest request;
    request.set_revision(revision_ > 50 ? revision_ - 50 : 1);
    return framed("/etcdserverpb.KV/Compact", request);
  }
  pb::TxnRequest request;
  pb::Compare& compare = *request.add_compare();
  compare.set_key(key());
  compare.set_target(pb::Compare::VERSION);
  compare.set_version(static_cast<int64_t>(below(3)));
  put(*request.add_success()->mutable_request_put(), false);
  all(*request.add_success()->mutable_request_range());
  pb::DeleteRangeRequest& drop = *request.add_failure()->mutable_request_delete_range();
  drop.set_key(key());
  drop.set_prev_kv(true);
  all(*request.add_failure()->mutable_request_txn()->add_success()->mutable_request_range());
  return framed("/etcdserverpb.KV/Txn", request);
}

Request Requests::of_leases() {
  const auto lease = static_cast<int64_t>(below(leases) + 1);
  switch (below(5)) {
    case 0: {
      pb::LeaseGrantRequest request;
      request.set_id(lease);
      request.set_ttl(static_cast<int64_t>(below(600) + 2));
      return framed("/etcdserverpb.Lease/LeaseGrant", request);
    }
    case 1: {
      pb::LeaseRevokeRequest request;
      request.set_id(lease);
      return framed("/etcdserverpb.Lease/LeaseRevoke", request);
    }
    case 2: {
      pb::LeaseTimeToLiveRequest request;
      request.set_id(lease);
      request.set_keys(true);
      return framed("/etcdserverpb.Lease/LeaseTimeToLive", request);
    }
    case 3: {
      pb::LeaseKeepAliveRequest request;
      request.set_id(lease);
      return framed("/etcdserverpb.Lease/LeaseKeepAlive", request);
    }
    default:
      return framed("/etcdserverpb.Lease/LeaseLeases", pb::LeaseLeasesRequest());
  }
}

Request Requests::of_users() {
  const auto named = [this](std::string_view path, auto request, std::string_view what) {
    request.set_name(name(what));
    return framed(path, request);
  };
  switch (below(12)) {
    case 0: {
      pb::AuthUserAddRequest request;
      request.set_name(name("user-"));
      request.set_password(password());
      return framed("/etcdserverpb.Auth/UserAdd", request);
    }
    case 1:
      return named("/etcdserverpb.Auth/UserDelete", pb::AuthUserDeleteRequest(), "user-");
    case 2:
      return named("/etcdserverpb.Auth/UserGet", pb::AuthUserGetRequest(), "user-");
    case 3:
      return framed("/etcdserverpb.Auth/UserList", pb::AuthUserListRequest());
    case 4:
      return named("/etcdserverpb.Auth/RoleAdd", pb::AuthRoleAddRequest(), "role-");
    case 5: {
      pb::AuthRoleGetRequest request;
      request.set_role(name("role-"));
      return framed("/etcdserverpb.Auth/RoleGet", request);
    }
    case 6:
      return framed("/etcdserverpb.Auth/RoleList", pb::AuthRoleListRequest());
    case 7: {
      pb::AuthRoleGrantPermissionRequest request;
      request.set_name(name("role-"));
      request.mutable_perm()->set_key(key());
      request.mutable_perm()->set_permtype(authpb::Permission::READWRITE);
      return framed("/etcdserverpb.Auth/RoleGrantPermission", request);
    }
    case 8: {
      pb::AuthUserGrantRoleRequest request;
      request.set_user(name("user-"));
      request.set_role(name("role-"));
      return framed("/etcdserverpb.Auth/UserGrantRole", request);
    }
    case 9: {
      pb::AuthRoleDeleteRequest request;
      request.set_role(name("role-"));
      return framed("/etcdserverpb.Auth/RoleDelete", request);
    }
    case 10:
      return framed("/etcdserverpb.Auth/AuthStatus", pb::AuthStatusRequest());
    default:
      return authenticate();
  }
}

Request Requests::of_the_rest() {
  switch (below(7)) {
    case 0:
      return framed("/etcdserverpb.Maintenance/HashKV", pb::HashKVRequest());
    case 1:
      return framed("/etcdserverpb.Maintenance/Status", pb::StatusRequest());
    case 2:
      return framed("/etcdserverpb.Maintenance/Hash", pb::HashRequest());
    case 3:
      return framed("/etcdserverpb.Maintenance/Alarm", pb::AlarmRequest());
    case 4:
      return framed("/etcdserverpb.Cluster/MemberList", pb::MemberListRequest());
    case 5: {
      v3electionpb::LeaderRequest request;
      request.set_name(name("election-"));
      return framed("/v3electionpb.Election/Leader", request);
    }
    default: {
      v3lockpb::UnlockRequest request;
      request.set_key(key());
      return framed("/v3lockpb.Lock/Unlock", request);
    }
  }
}

}  // namespace lattice::canary
