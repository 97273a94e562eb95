// The one error type. A Status is an Error from a closed list plus an optional detail for the
// person who reads it; src/etcd/error_table.cc alone turns it into a gRPC code and etcd's exact
// text.
// Thread: values, freely copied and moved.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace lattice {

enum class Error : uint8_t {
  ok = 0,
  // Requests that etcd refuses, each with a fixed text (etcd-v3.md section 2).
  empty_key,
  key_not_found,
  value_provided,
  lease_provided,
  too_many_ops,
  duplicate_key,
  invalid_sort_option,
  compacted,
  future_revision,
  no_space,
  invalid_client_api_version,
  request_too_large,
  too_many_requests,
  lease_not_found,
  lease_exists,
  lease_ttl_too_large,
  watch_canceled,
  auth_not_enabled,
  // Availability: the caller may try again; a write may have landed.
  no_leader,
  not_leader,
  leader_changed,
  stopped,
  timeout,
  timeout_leader_fail,
  timeout_connection_lost,
  timeout_leader_transfer,
  bad_leader_transferee,
  unhealthy,
  corrupt,
  linearizability_unavailable,
  // The caller's own context.
  canceled,
  deadline_exceeded,
  // A text passed on unchanged with code Unknown (the Election and Lock services).
  unknown,
  unimplemented,
  invalid_argument,
  resource_exhausted,
  internal,
  // A call between nodes that was certainly not delivered; never a client's answer.
  unsent,
  // Storage, met at start or behind an append; never a client's fault.
  backend_unavailable,
  backend_full,
  backend_locked,
  backend_schema_newer,
  backend_foreign_data,
  backend_corrupt,
  io,
  // etcd's Auth service and whom it refuses; each with a fixed text.
  root_user_not_exist,
  root_role_not_exist,
  user_already_exist,
  user_empty,
  user_not_found,
  role_already_exist,
  role_not_found,
  role_empty,
  auth_failed,
  permission_not_given,
  permission_denied,
  role_not_granted,
  permission_not_granted,
  invalid_auth_token,
  invalid_auth_mgmt,
  auth_old_revision,
  // The request's tenant is not there, or not its caller's: the detail says so.
  tenant_unknown,
  tenant_exists,
};

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : error_(error) {}  // NOLINT: an Error is a Status without detail
  Status(Error error, std::string detail) : error_(error), detail_(std::move(detail)) {}

  bool ok() const { return error_ == Error::ok; }
  Error error() const { return error_; }
  // For logs, and for errors whose text is not fixed. Empty for most.
  const std::string& detail() const { return detail_; }

  bool operator==(const Status& other) const { return error_ == other.error_; }

 private:
  Error error_ = Error::ok;
  std::string detail_;
};

// A value or the reason why there is none.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}         // NOLINT
  Result(Status status) : state_(std::in_place_index<1>, std::move(status)) {}  // NOLINT
  Result(Error error) : state_(std::in_place_index<1>, Status(error)) {}        // NOLINT

  bool ok() const { return state_.index() == 0; }
  // Requires: !ok() for a meaningful error; an ok Result answers Error::ok.
  Status status() const { return ok() ? Status() : std::get<1>(state_); }
  Error error() const { return ok() ? Error::ok : std::get<1>(state_).error(); }

  // Requires: ok(); anything else is a broken invariant and ends the process.
  T& operator*() { return checked(); }
  const T& operator*() const { return const_cast<Result*>(this)->checked(); }
  T* operator->() { return &checked(); }
  const T* operator->() const { return &const_cast<Result*>(this)->checked(); }

 private:
  T& checked() {
    if (T* value = std::get_if<0>(&state_)) return *value;
    std::abort();
  }
  std::variant<T, Status> state_;
};

}  // namespace lattice
