#include "etcd/error_table.h"

#include <algorithm>
#include <array>

#include "etcd/retry_info.h"

namespace lattice::etcd {
namespace {

using proxy::GrpcCode;

struct Entry {
  Error error;
  GrpcCode code;
  std::string_view text;
};

// too_many_requests arrives as Unknown: etcd's own server maps it to a client-side error that
// carries no code.
constexpr auto table = std::to_array<Entry>({
    {Error::empty_key, GrpcCode::invalid_argument, "etcdserver: key is not provided"},
    {Error::key_not_found, GrpcCode::invalid_argument, "etcdserver: key not found"},
    {Error::value_provided, GrpcCode::invalid_argument, "etcdserver: value is provided"},
    {Error::lease_provided, GrpcCode::invalid_argument, "etcdserver: lease is provided"},
    {Error::too_many_ops, GrpcCode::invalid_argument,
     "etcdserver: too many operations in txn request"},
    {Error::duplicate_key, GrpcCode::invalid_argument,
     "etcdserver: duplicate key given in txn request"},
    {Error::invalid_sort_option, GrpcCode::invalid_argument, "etcdserver: invalid sort option"},
    {Error::compacted, GrpcCode::out_of_range,
     "etcdserver: mvcc: required revision has been compacted"},
    {Error::future_revision, GrpcCode::out_of_range,
     "etcdserver: mvcc: required revision is a future revision"},
    {Error::no_space, GrpcCode::resource_exhausted, "etcdserver: mvcc: database space exceeded"},
    {Error::invalid_client_api_version, GrpcCode::invalid_argument,
     "etcdserver: invalid client api version"},
    {Error::request_too_large, GrpcCode::invalid_argument, "etcdserver: request is too large"},
    {Error::too_many_requests, GrpcCode::unknown, "etcdserver: too many requests"},
    {Error::lease_not_found, GrpcCode::not_found, "etcdserver: requested lease not found"},
    {Error::lease_exists, GrpcCode::failed_precondition, "etcdserver: lease already exists"},
    {Error::lease_ttl_too_large, GrpcCode::out_of_range, "etcdserver: too large lease TTL"},
    {Error::watch_canceled, GrpcCode::canceled, "etcdserver: watch canceled"},
    {Error::auth_not_enabled, GrpcCode::failed_precondition,
     "etcdserver: authentication is not enabled"},
    {Error::no_leader, GrpcCode::unavailable, "etcdserver: no leader"},
    {Error::not_leader, GrpcCode::failed_precondition, "etcdserver: not leader"},
    {Error::leader_changed, GrpcCode::unavailable, "etcdserver: leader changed"},
    {Error::stopped, GrpcCode::unavailable, "etcdserver: server stopped"},
    {Error::timeout, GrpcCode::unavailable, "etcdserver: request timed out"},
    {Error::timeout_leader_fail, GrpcCode::unavailable,
     "etcdserver: request timed out, possibly due to previous leader failure"},
    {Error::timeout_connection_lost, GrpcCode::unavailable,
     "etcdserver: request timed out, possibly due to connection lost"},
    {Error::timeout_leader_transfer, GrpcCode::unavailable,
     "etcdserver: request timed out, leader transfer took too long"},
    {Error::bad_leader_transferee, GrpcCode::failed_precondition,
     "etcdserver: bad leader transferee"},
    {Error::unsent, GrpcCode::unavailable, "etcdserver: no leader"},
    {Error::unhealthy, GrpcCode::unavailable, "etcdserver: unhealthy cluster"},
    {Error::corrupt, GrpcCode::data_loss, "etcdserver: corrupt cluster"},
    {Error::canceled, GrpcCode::canceled, "context canceled"},
    {Error::deadline_exceeded, GrpcCode::deadline_exceeded, "context deadline exceeded"},
    // A database without room is what etcd calls a full quota; one with foreign bytes, corrupt.
    {Error::backend_full, GrpcCode::resource_exhausted,
     "etcdserver: mvcc: database space exceeded"},
    {Error::backend_corrupt, GrpcCode::data_loss, "etcdserver: corrupt cluster"},
    {Error::backend_foreign_data, GrpcCode::data_loss, "etcdserver: corrupt cluster"},
});

constexpr auto auth_table = std::to_array<Entry>({
    {Error::root_user_not_exist, GrpcCode::failed_precondition,
     "etcdserver: root user does not exist"},
    {Error::root_role_not_exist, GrpcCode::failed_precondition,
     "etcdserver: root user does not have root role"},
    {Error::user_already_exist, GrpcCode::failed_precondition,
     "etcdserver: user name already exists"},
    {Error::user_empty, GrpcCode::invalid_argument, "etcdserver: user name is empty"},
    {Error::user_not_found, GrpcCode::failed_precondition, "etcdserver: user name not found"},
    {Error::role_already_exist, GrpcCode::failed_precondition,
     "etcdserver: role name already exists"},
    {Error::role_not_found, GrpcCode::failed_precondition, "etcdserver: role name not found"},
    {Error::role_empty, GrpcCode::invalid_argument, "etcdserver: role name is empty"},
    {Error::auth_failed, GrpcCode::invalid_argument,
     "etcdserver: authentication failed, invalid user ID or password"},
    {Error::permission_not_given, GrpcCode::invalid_argument, "etcdserver: permission not given"},
    {Error::permission_denied, GrpcCode::permission_denied, "etcdserver: permission denied"},
    {Error::role_not_granted, GrpcCode::failed_precondition,
     "etcdserver: role is not granted to the user"},
    {Error::permission_not_granted, GrpcCode::failed_precondition,
     "etcdserver: permission is not granted to the role"},
    {Error::invalid_auth_token, GrpcCode::unauthenticated, "etcdserver: invalid auth token"},
    {Error::invalid_auth_mgmt, GrpcCode::invalid_argument, "etcdserver: invalid auth management"},
    {Error::auth_old_revision, GrpcCode::invalid_argument,
     "etcdserver: revision of auth store is old"},
});

// Errors that etcd does not know: our text, and the detail where there is one.
constexpr auto own = std::to_array<Entry>({
    {Error::linearizability_unavailable, GrpcCode::unavailable, "linearizability unavailable"},
    {Error::unknown, GrpcCode::unknown, ""},
    {Error::unimplemented, GrpcCode::unimplemented, ""},
    {Error::invalid_argument, GrpcCode::invalid_argument, ""},
    {Error::resource_exhausted, GrpcCode::resource_exhausted, ""},
    {Error::tenant_unknown, GrpcCode::permission_denied, ""},
    {Error::tenant_exists, GrpcCode::already_exists, ""},
    {Error::internal, GrpcCode::internal, ""},
    {Error::backend_unavailable, GrpcCode::unavailable, "the database is not available"},
    {Error::backend_locked, GrpcCode::unavailable, "the database is locked by another process"},
    {Error::backend_schema_newer, GrpcCode::unavailable,
     "the database has a newer schema than this program"},
    {Error::io, GrpcCode::unavailable, "input/output error"},
});

std::string with_detail(std::string_view text, const std::string& detail) {
  if (text.empty()) return detail;
  if (detail.empty()) return std::string(text);
  return std::string(text) + ": " + detail;
}

}  // namespace

proxy::GrpcStatus to_grpc(const Status& status) {
  auto matches = [&](const Entry& entry) { return entry.error == status.error(); };
  if (auto found = std::ranges::find_if(table, matches); found != table.end()) {
    return {found->code, std::string(found->text)};
  }
  if (auto found = std::ranges::find_if(auth_table, matches); found != auth_table.end()) {
    return {found->code, std::string(found->text)};
  }
  if (auto found = std::ranges::find_if(own, matches); found != own.end()) {
    proxy::GrpcStatus grpc{found->code, with_detail(found->text, status.detail())};
    if (status.error() == Error::linearizability_unavailable) {
      grpc.trailers = {
          {details_trailer, reason_details(grpc, "LINEARIZABILITY_UNAVAILABLE", status.detail())}};
    }
    return grpc;
  }
  return {GrpcCode::unknown, with_detail("unexpected error", status.detail())};
}

std::string error_text(const Status& status) { return to_grpc(status).message; }

proxy::GrpcStatus to_grpc_unmapped(const Status& status) {
  proxy::GrpcStatus mapped = to_grpc(status);
  if (status.error() != Error::canceled && status.error() != Error::deadline_exceeded) {
    mapped.code = GrpcCode::unknown;
  }
  return mapped;
}

}  // namespace lattice::etcd
