// grpc.health.v1: the server as a whole, under the service name "". It serves when it is ready, by
// the checks of /readyz.
#include <algorithm>

#include "etcd/error_table.h"
#include "etcd/health_checks.h"
#include "etcd/methods.h"
#include "etcd/service_call.h"
#include "proto/health.pb.h"

namespace lattice::etcd {
namespace {

using Serving = grpc::health::v1::HealthCheckResponse;

// What can be known without asking.
bool surely_not_serving(Services& services) {
  if (services.draining) return true;
  if (services.control_plane && !services.control_plane().empty()) return true;
  Result<Tenant*> tenant = services.tenants.find_default();
  return !tenant.ok() || !(*tenant)->api.has_leader();
}

using ServingDone = absl::AnyInvocable<void(Serving::ServingStatus)>;

void find_serving(Services& services, ServingDone done) {
  if (surely_not_serving(services)) return done(Serving::NOT_SERVING);
  run_checks(services, ready_checks(services),
             [done = std::move(done)](const std::vector<CheckResult>& results) mutable {
               const bool ready = std::ranges::all_of(
                   results, [](const auto& each) { return each.reason.empty(); });
               done(ready ? Serving::SERVING : Serving::NOT_SERVING);
             });
}

// Health calls need no tenant and are answered while none can be served.
class HealthCall : public proxy::Call {
 public:
  HealthCall(Services& services, proxy::ServerStream& stream)
      : services_(services), stream_(stream) {}
  void on_cancel() override { ended_ = true; }
  void on_half_close() override {
    if (!asked_) finish({proxy::GrpcCode::internal, "no request message"});
  }
  void on_message(Bytes message) final {
    if (asked_ || ended_) return;
    asked_ = true;
    handle(message.view());
  }

 protected:
  virtual void handle(std::string_view message) = 0;

  void finish(proxy::GrpcStatus status) {
    if (ended_) return;
    ended_ = true;
    stream_.finish(std::move(status));
  }
  template <class Message>
  void send(const Message& message) {
    if (!ended_) stream_.send(ByteChain(serialize_message(message)));
  }
  template <class Message>
  bool decode(std::string_view bytes, Message* message) {
    if (parse_message(bytes, message)) return true;
    finish(to_grpc(unmarshal_error()));
    return false;
  }
  Services& services() { return services_; }
  // Calls it unless the call is over by then.
  template <class Function>
  ServingDone guarded(Function function) {
    return [alive = guard_.token(), function](Serving::ServingStatus status) {
      if (*alive) function(status);
    };
  }

 private:
  Services& services_;
  proxy::ServerStream& stream_;
  bool asked_ = false;
  bool ended_ = false;
  proxy::CallGuard guard_;
};

class CheckCall final : public HealthCall {
 public:
  using HealthCall::HealthCall;

 private:
  void handle(std::string_view message) override {
    grpc::health::v1::HealthCheckRequest request;
    if (!decode(message, &request)) return;
    if (!request.service().empty()) {
      return finish({proxy::GrpcCode::not_found, "unknown service"});
    }
    find_serving(services(), guarded([this](Serving::ServingStatus status) {
                   Serving response;
                   response.set_status(status);
                   send(response);
                   finish({});
                 }));
  }
};

class ListCall final : public HealthCall {
 public:
  using HealthCall::HealthCall;

 private:
  void handle(std::string_view message) override {
    grpc::health::v1::HealthListRequest request;
    if (!decode(message, &request)) return;
    find_serving(services(), guarded([this](Serving::ServingStatus status) {
                   grpc::health::v1::HealthListResponse response;
                   (*response.mutable_statuses())[""].set_status(status);
                   send(response);
                   finish({});
                 }));
  }
};

// Tells the state now and each change of it, until the client or the server leaves.
class WatchHealthCall final : public HealthCall, public OpenCall {
 public:
  WatchHealthCall(Services& services, proxy::ServerStream& stream)
      : HealthCall(services, stream), OpenCall(services.open_calls) {}

  void end(const Status& status) override { finish(to_grpc(status)); }
  void on_serving_changed() override {
    if (known_) look();
  }

 private:
  void handle(std::string_view message) override {
    grpc::health::v1::HealthCheckRequest request;
    if (!decode(message, &request)) return;
    known_ = request.service().empty();
    known_ ? look() : tell(Serving::SERVICE_UNKNOWN);
  }

  void look() {
    // A check may wait for long; what is certain meanwhile is told at once.
    if (surely_not_serving(services())) tell(Serving::NOT_SERVING);
    if (std::exchange(looking_, true)) return;
    find_serving(services(), guarded([this](Serving::ServingStatus status) {
                   looking_ = false;
                   tell(surely_not_serving(services()) ? Serving::NOT_SERVING : status);
                 }));
  }

  void tell(Serving::ServingStatus status) {
    if (status == told_) return;
    told_ = status;
    Serving response;
    response.set_status(status);
    send(response);
  }

  bool known_ = false;
  bool looking_ = false;  // the checks are under way
  Serving::ServingStatus told_ = Serving::UNKNOWN;
};

}  // namespace

void register_health(Services& services, proxy::Router& router) {
  router.add_grpc("/grpc.health.v1.Health/Check", factory_of<CheckCall>(services));
  router.add_grpc("/grpc.health.v1.Health/List", factory_of<ListCall>(services));
  router.add_grpc("/grpc.health.v1.Health/Watch", factory_of<WatchHealthCall>(services));
}

}  // namespace lattice::etcd
