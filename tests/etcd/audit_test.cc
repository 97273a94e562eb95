// What the audit log hears of calls that end in unusual ways, and what it never hears.
#include "etcd/audit.h"

#include <doctest/doctest.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <string>

#include "backends/temp_folder.h"
#include "etcd/service_world.h"
#include "proto/rpc.pb.h"
#include "telemetry/audit_log.h"

namespace lattice::etcd::testing {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::MessageFactory;

const std::string put_path = "/etcdserverpb.KV/Put";

std::string put(const std::string& key) {
  etcdserverpb::PutRequest request;
  request.set_key(key);
  request.set_value("hush");
  return request.SerializeAsString();
}

// A log that outlives the world whose calls it hears of.
struct Ears {
  Ears() {
    auto opened = telemetry::AuditLog::open({.output = path, .node = "n1"}, registry, *logger);
    REQUIRE(opened.ok());
    log = std::move(*opened);
  }
  void listen(ServiceWorld& world) {
    world.services().audit = log.get();
    world.tenant().name = "default";
  }
  // What was said, once no more will be.
  std::string heard() {
    log.reset();
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  backends::TempFolder folder;
  const std::string path = folder.path() + "/audit.log";
  telemetry::Registry registry;
  std::shared_ptr<telemetry::Logger> logger = telemetry::Logger::to_nowhere();
  std::unique_ptr<telemetry::AuditLog> log;
};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("audit: a change of a client that has left is told with what came of it") {
  Ears ears;
  ServiceWorld world;
  ears.listen(world);
  auto call = world.open(put_path, {{"x-request-id", "r1"}});
  call->send(put("k"));
  call->cancel();
  call.reset();
  world.run(std::chrono::seconds(1));
  const std::string heard = ears.heard();
  CHECK(has(heard,
            "\"method\":\"/etcdserverpb.KV/Put\",\"tenant\":\"default\",\"auth\":\"none\","
            "\"remote\":\"127.0.0.1:1\",\"request_id\":\"r1\",\"op\":\"put\",\"key\":\"k\","
            "\"revision\":2,\"outcome\":\"ok\",\"code\":\"OK\",\"took_ms\":"));
  CHECK_FALSE(has(heard, "hush"));
}

TEST_CASE("audit: a change that nobody has answered when the process ends is unknown") {
  Ears ears;
  {
    ServiceWorld world;
    ears.listen(world);
    auto call = world.open(put_path);
    call->send(put("k"));
  }
  const std::string heard = ears.heard();
  CHECK(has(heard, "\"key\":\"k\",\"outcome\":\"unknown\""));
  CHECK(std::ranges::count(heard, '\n') == 1);
}

TEST_CASE("audit: a refused call is told once, and an ordinary mistake not at all") {
  Ears ears;
  ServiceWorld world;
  ears.listen(world);
  world.absence = Status(Error::tenant_unknown, "gone");
  world.call(put_path, put("k"));
  world.absence = {};
  world.call(put_path, put(""));  // no change, no refusal: told as a change that failed
  world.call("/etcdserverpb.KV/Range", "");
  world.call("/etcdserverpb.KV/Range", "not a message");
  const std::string heard = ears.heard();
  CHECK(std::ranges::count(heard, '\n') == 2);
  CHECK(has(heard,
            "\"event\":\"refusal\",\"method\":\"/etcdserverpb.KV/Put\",\"auth\":\"none\","
            "\"remote\":\"127.0.0.1:1\",\"key\":\"k\",\"outcome\":\"refused\","
            "\"code\":\"PermissionDenied\",\"error\":\"gone\"}"));
  CHECK(has(heard,
            "\"op\":\"put\",\"key\":\"\",\"outcome\":\"failed\",\"code\":"
            "\"InvalidArgument\",\"error\":\"etcdserver: key is not provided\""));
}

TEST_CASE("audit: what counts as a refusal") {
  using proxy::GrpcCode;
  CHECK(is_refusal({GrpcCode::permission_denied, "why"}));
  CHECK(is_refusal({GrpcCode::unauthenticated, "why"}));
  CHECK(is_refusal({GrpcCode::resource_exhausted, "why"}));
  CHECK(is_refusal({GrpcCode::unknown, "etcdserver: permission denied"}));  // Lock and Election
  CHECK(is_refusal({GrpcCode::unknown, "etcdserver: too many requests"}));
  CHECK(is_refusal({GrpcCode::invalid_argument, "etcdserver: user name is empty"}));
  CHECK(is_refusal({GrpcCode::invalid_argument,
                    "etcdserver: authentication failed, invalid user ID or password"}));
  CHECK_FALSE(is_refusal({}));
  CHECK_FALSE(is_refusal({GrpcCode::invalid_argument, "etcdserver: key is not provided"}));
  CHECK_FALSE(is_refusal({GrpcCode::unavailable, "etcdserver: no leader"}));
}

// Every text of the message becomes "<" + its field's name + ">".
void fill(Message* message, int depth = 0) {
  const google::protobuf::Reflection& write = *message->GetReflection();
  for (int i = 0; i < message->GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message->GetDescriptor()->field(i);
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      const std::string text = "<" + field->name() + ">";
      field->is_repeated() ? write.AddString(message, field, text)
                           : write.SetString(message, field, text);
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && depth < 4) {
      fill(field->is_repeated() ? write.AddMessage(message, field)
                                : write.MutableMessage(message, field),
           depth + 1);
    }
  }
}

TEST_CASE("audit: of no method's request anything but names and keys is shown") {
  const std::set<std::string> shown = {"key", "range_end", "name", "user", "role"};
  size_t methods = 0;
  for (const char* file : {"proto/rpc.proto", "proto/v3lock.proto", "proto/v3election.proto"}) {
    const auto* declared = DescriptorPool::generated_pool()->FindFileByName(file);
    REQUIRE(declared != nullptr);
    for (int s = 0; s < declared->service_count(); ++s) {
      const auto* service = declared->service(s);
      for (int m = 0; m < service->method_count(); ++m, ++methods) {
        const auto* input = service->method(m)->input_type();
        const std::unique_ptr<Message> request(
            MessageFactory::generated_factory()->GetPrototype(input)->New());
        fill(request.get());
        AuditLine line("n1", "refusal");
        const std::string method = "/" + service->full_name() + "/" + service->method(m)->name();
        describe_message(method, Bytes::copy(request->SerializeAsString()), &line);
        const std::string text = std::move(line).finish({});
        CAPTURE(text);
        for (size_t at = text.find('<'); at != text.npos; at = text.find('<', at + 1)) {
          CHECK(shown.contains(text.substr(at + 1, text.find('>', at) - at - 1)));
        }
      }
    }
  }
  CHECK(methods > 40);
}

}  // namespace
}  // namespace lattice::etcd::testing
