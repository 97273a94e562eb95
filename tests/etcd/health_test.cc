// grpc.health.v1: whoever asks hears whether the server serves, even while it has no tenant.
#include <doctest/doctest.h>

#include "etcd/service_world.h"
#include "proto/health.pb.h"

namespace lattice::etcd {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using proxy::GrpcCode;
using testing::ServiceWorld;

HealthCheckResponse::ServingStatus told(const std::string& message) {
  HealthCheckResponse response;
  REQUIRE(response.ParseFromString(message));
  return response.status();
}

HealthCheckResponse::ServingStatus check(ServiceWorld& world) {
  return world.ask<HealthCheckResponse>("/grpc.health.v1.Health/Check", HealthCheckRequest())
      .status();
}

TEST_CASE("Check and List tell whether the tenant is served") {
  ServiceWorld world;
  CHECK(check(world) == HealthCheckResponse::SERVING);
  world.absence = Error::backend_unavailable;
  CHECK(check(world) == HealthCheckResponse::NOT_SERVING);
  const auto list = world.ask<grpc::health::v1::HealthListResponse>(
      "/grpc.health.v1.Health/List", grpc::health::v1::HealthListRequest());
  REQUIRE(list.statuses().count("") == 1);
  CHECK(list.statuses().at("").status() == HealthCheckResponse::NOT_SERVING);
  world.absence = Status();
  CHECK(check(world) == HealthCheckResponse::SERVING);
}

TEST_CASE("What /readyz would not call ready does not serve") {
  ServiceWorld world;
  std::string trouble = "the control-plane cache is Stale";
  world.services().control_plane = [&trouble] { return trouble; };
  auto watching = world.open("/grpc.health.v1.Health/Watch");
  watching->send("");
  CHECK(check(world) == HealthCheckResponse::NOT_SERVING);
  trouble.clear();
  CHECK(check(world) == HealthCheckResponse::SERVING);
  world.services().open_calls.serving_changed();
  world.run(std::chrono::seconds(1));
  REQUIRE(watching->seen().messages.size() == 2);
  CHECK(told(watching->seen().messages[0]) == HealthCheckResponse::NOT_SERVING);
  CHECK(told(watching->seen().messages[1]) == HealthCheckResponse::SERVING);
}

TEST_CASE("health calls for another service, without a message, and with garbage") {
  ServiceWorld world;
  HealthCheckRequest other;
  other.set_service("etcdserverpb.KV");
  auto seen = world.call("/grpc.health.v1.Health/Check", other.SerializeAsString());
  REQUIRE(seen.over());
  CHECK(seen.status->code == GrpcCode::not_found);

  auto session = world.open("/grpc.health.v1.Health/Check");
  session->half_close();
  REQUIRE(session->seen().over());
  CHECK(session->seen().status->code == GrpcCode::internal);

  seen = world.call("/grpc.health.v1.Health/List", "\x0a\x7f");
  REQUIRE(seen.over());
  CHECK(seen.status->code == GrpcCode::internal);
}

TEST_CASE("Watch tells the state at once and each change, and stays open for unknown services") {
  ServiceWorld world;
  auto watching = world.open("/grpc.health.v1.Health/Watch");
  watching->send("");
  HealthCheckRequest other;
  other.set_service("etcdserverpb.KV");
  auto elsewhere = world.open("/grpc.health.v1.Health/Watch");
  elsewhere->send(other.SerializeAsString());
  world.run(std::chrono::milliseconds(10));
  REQUIRE(watching->seen().messages.size() == 1);
  CHECK(told(watching->seen().messages[0]) == HealthCheckResponse::SERVING);
  REQUIRE(elsewhere->seen().messages.size() == 1);
  CHECK(told(elsewhere->seen().messages[0]) == HealthCheckResponse::SERVICE_UNKNOWN);

  begin_drain(world.services());
  REQUIRE(watching->seen().messages.size() == 2);
  CHECK(told(watching->seen().messages[1]) == HealthCheckResponse::NOT_SERVING);
  CHECK(elsewhere->seen().messages.size() == 1);
}

}  // namespace
}  // namespace lattice::etcd
