// Once authentication is on, nothing is open by omission: every method that the router has is
// called by nobody, and by somebody with a token that is none.
#include <doctest/doctest.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <memory>
#include <string>

#include "etcd/service_world.h"
#include "proto/health.pb.h"
#include "proto/lattice/v1/tokens.pb.h"
#include "proto/rpc.pb.h"
#include "proto/v3election.pb.h"
#include "proto/v3lock.pb.h"

namespace lattice::etcd {
namespace {

namespace gp = google::protobuf;
using testing::ServiceWorld;

// What nobody may call, and why it must be so.
bool is_open(std::string_view path) {
  return path == "/etcdserverpb.Auth/Authenticate" ||  // how one becomes somebody
         path == "/etcdserverpb.Auth/AuthStatus" ||    // etcd's clients ask before they log in
         path.starts_with("/grpc.health.v1.Health/");  // probes have no users
}

void fill(gp::Message* message, int depth);

void fill_field(gp::Message* message, const gp::FieldDescriptor* field, int depth) {
  const gp::Reflection& to = *message->GetReflection();
  const bool many = field->is_repeated();
  switch (field->cpp_type()) {
    case gp::FieldDescriptor::CPPTYPE_STRING:
      many ? to.AddString(message, field, "k") : to.SetString(message, field, "k");
      return;
    case gp::FieldDescriptor::CPPTYPE_INT64:
      many ? to.AddInt64(message, field, 1) : to.SetInt64(message, field, 1);
      return;
    case gp::FieldDescriptor::CPPTYPE_UINT64:
      many ? to.AddUInt64(message, field, 1) : to.SetUInt64(message, field, 1);
      return;
    case gp::FieldDescriptor::CPPTYPE_MESSAGE:
      if (depth > 0) {
        fill(many ? to.AddMessage(message, field) : to.MutableMessage(message, field), depth - 1);
      }
      return;
    default:
      return;  // flags and kinds: as they are when nobody sets them
  }
}

// Keys, names and numbers, so that no request is refused for what it lacks.
void fill(gp::Message* message, int depth) {
  const gp::Descriptor& type = *message->GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const gp::FieldDescriptor* field = type.field(i);
    // Of several that exclude each other, the first.
    const gp::OneofDescriptor* choice = field->containing_oneof();
    if (choice == nullptr || choice->field(0) == field) fill_field(message, field, depth);
  }
}

std::string request_of(std::string_view path) {
  std::string name(path.substr(1));
  std::replace(name.begin(), name.end(), '/', '.');
  const auto* method = gp::DescriptorPool::generated_pool()->FindMethodByName(name);
  REQUIRE_MESSAGE(method != nullptr, name);
  const gp::Message* empty =
      gp::MessageFactory::generated_factory()->GetPrototype(method->input_type());
  const std::unique_ptr<gp::Message> request(empty->New());
  fill(request.get(), 3);
  return request->SerializeAsString();
}

// Why a call was refused; empty: it was not.
std::string refusal(const testing::Seen& seen) {
  if (seen.over()) {
    if (seen.status->code == proxy::GrpcCode::unimplemented) return "unimplemented";
    return seen.status->code == proxy::GrpcCode::ok ? "" : seen.status->message;
  }
  etcdserverpb::WatchResponse response;
  if (seen.messages.size() != 1 || !response.ParseFromString(seen.messages[0])) return "";
  return response.canceled() ? response.cancel_reason() : "";
}

void switch_on(ServiceWorld& world) {
  const auto change = [&](auth::Change::Kind kind, std::string role = {}) {
    auth::Change one;
    one.kind = kind;
    one.user = "root";
    one.role = std::move(role);
    Status status = Error::internal;
    world.tenant().api.auth_change(std::move(one),
                                   [&](const Result<Revision>& done) { status = done.status(); });
    world.run(std::chrono::seconds(1));
    REQUIRE(status.ok());
  };
  change(auth::Change::Kind::user_add);
  change(auth::Change::Kind::user_grant_role, "root");
  change(auth::Change::Kind::enable);
}

TEST_CASE("with authentication on, no method of the router is open by omission") {
  // Their descriptors are looked up by name.
  gp::LinkMessageReflection<v1::ListTokensRequest>();
  gp::LinkMessageReflection<v3lockpb::LockRequest>();
  gp::LinkMessageReflection<v3electionpb::LeaderRequest>();
  credentials::Authority authority(
      [](credentials::Authority::Task, credentials::Authority::Task) { return false; });
  ServiceWorld world;
  world.services().authority = &authority;
  switch_on(world);
  size_t denied = 0;
  for (const std::string& path : world.router().grpc_paths()) {
    if (is_open(path)) continue;
    CAPTURE(path);
    const std::string request = request_of(path);
    const std::string by_nobody = refusal(world.call(path, request));
    CAPTURE(by_nobody);
    if (by_nobody == "unimplemented") continue;
    CHECK(by_nobody.find("etcdserver: user name is empty") != std::string::npos);
    for (const char* token : {"nonsense", "lat_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}) {
      const std::string by_token = refusal(world.call(path, request, {{"token", token}}));
      CAPTURE(by_token);
      CHECK(by_token.find("etcdserver: invalid auth token") != std::string::npos);
    }
    ++denied;
  }
  CHECK(denied >= 40);
}

}  // namespace
}  // namespace lattice::etcd
