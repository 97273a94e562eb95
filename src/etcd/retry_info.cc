#include "etcd/retry_info.h"

#include <chrono>

#include "proto/rpc_details.pb.h"

namespace lattice::etcd {
namespace {

google::rpc::Status begin(const proxy::GrpcStatus& status) {
  google::rpc::Status details;
  details.set_code(static_cast<int32_t>(status.code));
  details.set_message(status.message);
  return details;
}

google::rpc::RetryInfo retry_info_of(Duration retry_after) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(retry_after);
  google::rpc::RetryInfo retry_info;
  retry_info.mutable_retry_delay()->set_seconds(seconds.count());
  retry_info.mutable_retry_delay()->set_nanos(
      static_cast<int32_t>((retry_after - seconds).count()));
  return retry_info;
}

}  // namespace

std::string overload_details(const proxy::GrpcStatus& status, Duration retry_after) {
  google::rpc::Status details = begin(status);
  details.add_details()->PackFrom(retry_info_of(retry_after));
  return details.SerializeAsString();
}

std::string retry_details(const proxy::GrpcStatus& status, Duration retry_after) {
  google::rpc::QuotaFailure quota_failure;
  google::rpc::QuotaFailure::Violation* violation = quota_failure.add_violations();
  violation->set_subject("tenant");
  violation->set_description(status.message);

  google::rpc::Status details = begin(status);
  details.add_details()->PackFrom(retry_info_of(retry_after));
  details.add_details()->PackFrom(quota_failure);
  return details.SerializeAsString();
}

std::string reason_details(const proxy::GrpcStatus& status, std::string_view reason,
                           std::string_view cause) {
  google::rpc::ErrorInfo error_info;
  error_info.set_reason(std::string(reason));
  error_info.set_domain("lattice");
  (*error_info.mutable_metadata())["cause"] = std::string(cause);
  google::rpc::Status details = begin(status);
  details.add_details()->PackFrom(error_info);
  return details.SerializeAsString();
}

}  // namespace lattice::etcd
