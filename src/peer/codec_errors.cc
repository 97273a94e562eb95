// The numbers of errors between nodes: fixed by peer.proto, whatever the order of Error.
#include <array>
#include <utility>

#include "peer/codec_parts.h"

namespace lattice::peer {
namespace {

constexpr auto table = std::to_array<std::pair<Error, v1::Code>>({
    {Error::ok, v1::OK},
    {Error::empty_key, v1::EMPTY_KEY},
    {Error::key_not_found, v1::KEY_NOT_FOUND},
    {Error::value_provided, v1::VALUE_PROVIDED},
    {Error::lease_provided, v1::LEASE_PROVIDED},
    {Error::too_many_ops, v1::TOO_MANY_OPS},
    {Error::duplicate_key, v1::DUPLICATE_KEY},
    {Error::invalid_sort_option, v1::INVALID_SORT_OPTION},
    {Error::compacted, v1::COMPACTED},
    {Error::future_revision, v1::FUTURE_REVISION},
    {Error::no_space, v1::NO_SPACE},
    {Error::invalid_client_api_version, v1::INVALID_CLIENT_API_VERSION},
    {Error::request_too_large, v1::REQUEST_TOO_LARGE},
    {Error::too_many_requests, v1::TOO_MANY_REQUESTS},
    {Error::lease_not_found, v1::LEASE_NOT_FOUND},
    {Error::lease_exists, v1::LEASE_EXISTS},
    {Error::lease_ttl_too_large, v1::LEASE_TTL_TOO_LARGE},
    {Error::watch_canceled, v1::WATCH_CANCELED},
    {Error::auth_not_enabled, v1::AUTH_NOT_ENABLED},
    {Error::no_leader, v1::NO_LEADER},
    {Error::not_leader, v1::NOT_LEADER},
    {Error::leader_changed, v1::LEADER_CHANGED},
    {Error::stopped, v1::STOPPED},
    {Error::timeout, v1::TIMEOUT},
    {Error::timeout_leader_fail, v1::TIMEOUT_LEADER_FAIL},
    {Error::timeout_connection_lost, v1::TIMEOUT_CONNECTION_LOST},
    {Error::unhealthy, v1::UNHEALTHY},
    {Error::corrupt, v1::CORRUPT},
    {Error::linearizability_unavailable, v1::LINEARIZABILITY_UNAVAILABLE},
    {Error::canceled, v1::CANCELED},
    {Error::deadline_exceeded, v1::DEADLINE_EXCEEDED},
    {Error::unknown, v1::UNKNOWN},
    {Error::unimplemented, v1::UNIMPLEMENTED},
    {Error::invalid_argument, v1::INVALID_ARGUMENT},
    {Error::resource_exhausted, v1::RESOURCE_EXHAUSTED},
    {Error::internal, v1::INTERNAL},
    {Error::unsent, v1::UNSENT},
    {Error::backend_unavailable, v1::BACKEND_UNAVAILABLE},
    {Error::backend_full, v1::BACKEND_FULL},
    {Error::backend_locked, v1::BACKEND_LOCKED},
    {Error::backend_schema_newer, v1::BACKEND_SCHEMA_NEWER},
    {Error::backend_foreign_data, v1::BACKEND_FOREIGN_DATA},
    {Error::backend_corrupt, v1::BACKEND_CORRUPT},
    {Error::io, v1::IO},
    {Error::timeout_leader_transfer, v1::TIMEOUT_LEADER_TRANSFER},
    {Error::bad_leader_transferee, v1::BAD_LEADER_TRANSFEREE},
    {Error::root_user_not_exist, v1::ROOT_USER_NOT_EXIST},
    {Error::root_role_not_exist, v1::ROOT_ROLE_NOT_EXIST},
    {Error::user_already_exist, v1::USER_ALREADY_EXIST},
    {Error::user_empty, v1::USER_EMPTY},
    {Error::user_not_found, v1::USER_NOT_FOUND},
    {Error::role_already_exist, v1::ROLE_ALREADY_EXIST},
    {Error::role_not_found, v1::ROLE_NOT_FOUND},
    {Error::role_empty, v1::ROLE_EMPTY},
    {Error::auth_failed, v1::AUTH_FAILED},
    {Error::permission_not_given, v1::PERMISSION_NOT_GIVEN},
    {Error::permission_denied, v1::PERMISSION_DENIED},
    {Error::role_not_granted, v1::ROLE_NOT_GRANTED},
    {Error::permission_not_granted, v1::PERMISSION_NOT_GRANTED},
    {Error::invalid_auth_token, v1::INVALID_AUTH_TOKEN},
    {Error::invalid_auth_mgmt, v1::INVALID_AUTH_MGMT},
    {Error::auth_old_revision, v1::AUTH_OLD_REVISION},
});

}  // namespace

v1::Code code_of(Error error) {
  for (const auto& [known, code] : table) {
    if (known == error) return code;
  }
  return v1::INTERNAL;
}

Error error_of(int code) {
  for (const auto& [error, known] : table) {
    if (static_cast<int>(known) == code) return error;
  }
  return Error::internal;
}

}  // namespace lattice::peer
