// Every error that etcd's clients recognise, by code and by exact text (etcd-v3.md section 2).
#include "etcd/error_table.h"

#include <doctest/doctest.h>

namespace lattice::etcd {
namespace {

using proxy::GrpcCode;

struct Expected {
  Error error;
  int code;
  const char* text;
};

constexpr Expected expected[] = {
    {Error::empty_key, 3, "etcdserver: key is not provided"},
    {Error::key_not_found, 3, "etcdserver: key not found"},
    {Error::value_provided, 3, "etcdserver: value is provided"},
    {Error::lease_provided, 3, "etcdserver: lease is provided"},
    {Error::too_many_ops, 3, "etcdserver: too many operations in txn request"},
    {Error::duplicate_key, 3, "etcdserver: duplicate key given in txn request"},
    {Error::invalid_sort_option, 3, "etcdserver: invalid sort option"},
    {Error::compacted, 11, "etcdserver: mvcc: required revision has been compacted"},
    {Error::future_revision, 11, "etcdserver: mvcc: required revision is a future revision"},
    {Error::no_space, 8, "etcdserver: mvcc: database space exceeded"},
    {Error::invalid_client_api_version, 3, "etcdserver: invalid client api version"},
    {Error::request_too_large, 3, "etcdserver: request is too large"},
    {Error::too_many_requests, 2, "etcdserver: too many requests"},  // Unknown on the wire
    {Error::lease_not_found, 5, "etcdserver: requested lease not found"},
    {Error::lease_exists, 9, "etcdserver: lease already exists"},
    {Error::lease_ttl_too_large, 11, "etcdserver: too large lease TTL"},
    {Error::watch_canceled, 1, "etcdserver: watch canceled"},
    {Error::auth_not_enabled, 9, "etcdserver: authentication is not enabled"},
    {Error::no_leader, 14, "etcdserver: no leader"},
    {Error::not_leader, 9, "etcdserver: not leader"},
    {Error::leader_changed, 14, "etcdserver: leader changed"},
    {Error::stopped, 14, "etcdserver: server stopped"},
    {Error::timeout, 14, "etcdserver: request timed out"},
    {Error::timeout_leader_fail, 14,
     "etcdserver: request timed out, possibly due to previous leader failure"},
    {Error::timeout_connection_lost, 14,
     "etcdserver: request timed out, possibly due to connection lost"},
    {Error::unhealthy, 14, "etcdserver: unhealthy cluster"},
    {Error::corrupt, 15, "etcdserver: corrupt cluster"},
    {Error::canceled, 1, "context canceled"},
    {Error::deadline_exceeded, 4, "context deadline exceeded"},
};

TEST_CASE("LIN-BOUND says why, for people and for programs") {
  const proxy::GrpcStatus status =
      to_grpc(Status(Error::linearizability_unavailable, "the cache is Stale"));
  CHECK(status.code == GrpcCode::unavailable);
  CHECK(status.message == "linearizability unavailable: the cache is Stale");
  REQUIRE(status.trailers.size() == 1);
  CHECK(status.trailers.front().first == "grpc-status-details-bin");
  const std::string& details = status.trailers.front().second;
  for (const char* part : {"type.googleapis.com/google.rpc.ErrorInfo", "cause",
                           "LINEARIZABILITY_UNAVAILABLE", "the cache is Stale"}) {
    CHECK(details.find(part) != std::string::npos);
  }
}

TEST_CASE("errors have etcd's code and text, whatever detail they carry") {
  for (const Expected& row : expected) {
    CAPTURE(row.text);
    proxy::GrpcStatus plain = to_grpc(Status(row.error));
    CHECK(static_cast<int>(plain.code) == row.code);
    CHECK(plain.message == row.text);
    proxy::GrpcStatus detailed = to_grpc(Status(row.error, "for the log only"));
    CHECK(static_cast<int>(detailed.code) == row.code);
    CHECK(detailed.message == row.text);
  }
}

TEST_CASE("every error has an entry") {
  for (int number = 1; number <= static_cast<int>(Error::io); ++number) {
    CAPTURE(number);
    CHECK_FALSE(to_grpc(Status(static_cast<Error>(number), "d")).message.starts_with("unexpected"));
  }
}

TEST_CASE("texts that are not etcd's carry the detail") {
  proxy::GrpcStatus status = to_grpc({Error::backend_unavailable, "connection refused"});
  CHECK(status.code == GrpcCode::unavailable);
  CHECK(status.message == "the database is not available: connection refused");
  status = to_grpc({Error::unimplemented, "RangeStream does not support custom sort orders"});
  CHECK(status.code == GrpcCode::unimplemented);
  CHECK(status.message == "RangeStream does not support custom sort orders");
}

TEST_CASE("Lock and Election answer Unknown with the same text, context errors apart") {
  proxy::GrpcStatus status = to_grpc_unmapped(Error::lease_not_found);
  CHECK(status.code == GrpcCode::unknown);
  CHECK(status.message == "etcdserver: requested lease not found");
  CHECK(to_grpc_unmapped(Error::canceled).code == GrpcCode::canceled);
  CHECK(to_grpc_unmapped(Error::deadline_exceeded).code == GrpcCode::deadline_exceeded);
}

}  // namespace
}  // namespace lattice::etcd
