#include "etcd/retry_info.h"

#include <chrono>
#include <string_view>

#include "etcd/wire.h"

namespace lattice::etcd {
namespace {

void add_bytes(std::string* message, uint32_t field, std::string_view bytes) {
  char head[16];
  message->append(head, put_length_prefix(head, field, bytes.size()));
  message->append(bytes);
}

void add_number(std::string* message, uint32_t field, int64_t value) {
  char bytes[16];
  message->append(bytes, put_number_field(bytes, field, static_cast<uint64_t>(value)));
}

// google.protobuf.Any.
std::string any(std::string_view type, std::string_view message) {
  std::string out;
  add_bytes(&out, 1, "type.googleapis.com/" + std::string(type));
  add_bytes(&out, 2, message);
  return out;
}

// google.rpc.Status, without its details.
std::string begin(const proxy::GrpcStatus& status) {
  std::string out;
  add_number(&out, 1, static_cast<int64_t>(status.code));
  add_bytes(&out, 2, status.message);
  return out;
}

}  // namespace

std::string retry_details(const proxy::GrpcStatus& status, Duration retry_after) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(retry_after);
  std::string delay;
  add_number(&delay, 1, seconds.count());
  add_number(&delay, 2, (retry_after - seconds).count());
  std::string retry_info;
  add_bytes(&retry_info, 1, delay);
  std::string violation;
  add_bytes(&violation, 1, "tenant");
  add_bytes(&violation, 2, status.message);
  std::string quota_failure;
  add_bytes(&quota_failure, 1, violation);

  std::string out = begin(status);
  add_bytes(&out, 3, any("google.rpc.RetryInfo", retry_info));
  add_bytes(&out, 3, any("google.rpc.QuotaFailure", quota_failure));
  return out;
}

std::string reason_details(const proxy::GrpcStatus& status, std::string_view reason,
                           std::string_view cause) {
  std::string entry;  // of the map `metadata`
  add_bytes(&entry, 1, "cause");
  add_bytes(&entry, 2, cause);
  std::string error_info;
  add_bytes(&error_info, 1, reason);
  add_bytes(&error_info, 2, "lattice");
  add_bytes(&error_info, 3, entry);
  std::string out = begin(status);
  add_bytes(&out, 3, any("google.rpc.ErrorInfo", error_info));
  return out;
}

}  // namespace lattice::etcd
