// All services over a real replica on a memory log, in simulated time, and calls to them without a
// transport between.
// Thread: one.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backends/memory/memory_store.h"
#include "etcd/services.h"
#include "etcd/test_time.h"
#include "proxy/fake_stream.h"
#include "replica/replica.h"

namespace lattice::etcd::testing {

// What the client of one call would have seen.
struct Seen {
  std::vector<std::string> messages;
  std::optional<proxy::GrpcStatus> status;
  bool over() const { return status.has_value(); }
};

class SeenStream final : public proxy::testing::FakeStream {
 public:
  SeenStream(Seen& seen, std::string_view path, proxy::Metadata metadata)
      : FakeStream(std::move(metadata)), seen_(seen) {
    set_method(std::string(path));
  }
  // Sending on a stream that is over is the services' mistake.
  void send(ByteChain message) override {
    if (seen_.over()) std::abort();
    seen_.messages.push_back(message.flatten());
    unsent_ += message.size();
  }
  void finish(proxy::GrpcStatus status) override {
    if (seen_.over()) std::abort();
    seen_.status = std::move(status);
  }
  size_t pending_bytes() const override { return unsent_; }
  size_t take_unsent() { return std::exchange(unsent_, 0); }

 private:
  Seen& seen_;
  size_t unsent_ = 0;
};

class ServiceWorld final : public Tenants {
 public:
  ServiceWorld() : store_(environment_) {
    replica_->start();
    register_all(services_, router_);
    run(std::chrono::seconds(1));
  }
  Result<Tenant*> find(const proxy::ServerStream&) override {
    if (std::exchange(retiring, false)) {
      loading = true;
      return find_default();
    }
    return loading ? nullptr : find_default();
  }
  void wait(const proxy::ServerStream&, absl::AnyInvocable<void()> again) override {
    waiting_.push_back(std::move(again));
  }
  // Those that wait look again.
  void look_again() {
    for (auto& again : std::exchange(waiting_, {})) again();
  }
  // The tenant is there now, or will never be; those that wait hear of it.
  void end_loading() {
    loading = false;
    look_again();
    run(std::chrono::seconds(1));
  }
  Result<Tenant*> find_default() override {
    if (!absence.ok()) return absence;
    return tenant_.get();
  }

  // A call whose messages and end come from the test.
  class Session {
   public:
    Session(ServiceWorld& world, const proxy::CallFactory& factory, std::string_view path,
            proxy::Metadata metadata)
        : world_(world), stream_(seen_, path, std::move(metadata)), call_(factory(stream_)) {}
    ~Session() {
      if (!seen_.over()) cancel();
    }
    void send(std::string_view message) {
      if (live()) call_->on_message(Bytes::copy(message));
    }
    void half_close() {
      if (live()) call_->on_half_close();
    }
    void cancel() {
      if (live()) call_->on_cancel();
      gone_ = true;
    }
    // The transport takes everything that waits, again and again until nothing more comes.
    void deliver() {
      while (size_t bytes = live() ? stream_.take_unsent() : 0) {
        call_->on_sent(bytes);
        world_.run(std::chrono::milliseconds(1));
      }
    }
    const Seen& seen() const { return seen_; }

   private:
    bool live() const { return call_ != nullptr && !seen_.over() && !gone_; }
    ServiceWorld& world_;
    Seen seen_;
    SeenStream stream_;
    std::unique_ptr<proxy::Call> call_;
    bool gone_ = false;
  };

  // Null for an unknown path.
  std::unique_ptr<Session> open(std::string_view path, proxy::Metadata metadata = {}) {
    const proxy::CallFactory* factory = router_.find_grpc(path);
    if (factory == nullptr) return nullptr;
    return std::make_unique<Session>(*this, *factory, path, std::move(metadata));
  }
  // A unary call, start to end.
  Seen call(std::string_view path, std::string_view message, proxy::Metadata metadata = {}) {
    auto session = open(path, std::move(metadata));
    session->send(message);
    session->half_close();
    run(std::chrono::seconds(1));
    return session->seen();
  }
  template <class Response, class Request>
  Response ask(std::string_view path, const Request& request) {
    Seen seen = call(path, request.SerializeAsString());
    Response response;
    if (seen.messages.size() == 1) response.ParseFromString(seen.messages.front());
    return response;
  }

  void run(Duration time) { environment_.run(time); }
  Services& services() { return services_; }
  const proxy::Router& router() const { return router_; }
  Tenant& tenant() { return *tenant_; }

  Status absence;         // what find() answers instead of the tenant
  bool loading = false;   // find() answers that the tenant is being loaded
  bool retiring = false;  // find() answers the tenant once more, then that it is being loaded
  const Tenant& tenant() const { return *tenant_; }
  // The tenant's handle is over, as where it moves; what it is asked still is answered so.
  void stop_replica() {
    replica_->stop([](const Status&) {}, Error::unsent);
    run(std::chrono::seconds(1));
  }
  // It goes on under another one.
  void replace_tenant() {
    old_replica_ = std::exchange(replica_, make_replica());
    old_tenant_ = std::exchange(tenant_, make_tenant());
    replica_->start();
    run(std::chrono::seconds(1));
  }

 private:
  TestTime environment_;
  backends::MemoryStore store_;
  std::unique_ptr<replica::Replica> make_replica() {
    return std::make_unique<replica::Replica>(replica::Options(), environment_,
                                              store_.open_log("default", environment_),
                                              replica::Links(), nullptr);
  }
  std::unique_ptr<Tenant> make_tenant() {
    auto tenant = std::make_unique<Tenant>(
        Tenant{*replica_, Identity({.cluster_id = store_.cluster_id(),
                                    .name = "test",
                                    .client_urls = {"http://127.0.0.1:2379"}})});
    tenant->may_move = true;
    return tenant;
  }
  std::unique_ptr<replica::Replica> old_replica_;
  std::unique_ptr<replica::Replica> replica_ = make_replica();
  std::unique_ptr<Tenant> old_tenant_;
  std::unique_ptr<Tenant> tenant_ = make_tenant();
  Services services_{.tenants = *this,
                     .environment = environment_,
                     .limits = {},
                     .client_requests = nullptr,
                     .scrape = {},
                     .open_calls = {}};
  proxy::Router router_;
  std::vector<absl::AnyInvocable<void()>> waiting_;
};

}  // namespace lattice::etcd::testing
