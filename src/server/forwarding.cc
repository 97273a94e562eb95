#include "server/forwarding.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "etcd/error_table.h"
#include "peer/forwarding_call.h"
#include "server/deferred_call.h"

namespace lattice::server {
namespace {

// What concerns this process, not a tenant.
constexpr std::string_view own_service = "/grpc.health.v1.Health/";
constexpr std::string_view long_methods[] = {
    "/etcdserverpb.Watch/Watch", "/etcdserverpb.Lease/LeaseKeepAlive", "/v3lockpb.Lock/Lock",
    "/v3electionpb.Election/Campaign", "/v3electionpb.Election/Observe"};
// In the order of ForwardingCall::Outcome.
constexpr std::string_view outcome_names[] = {"answered", "unreachable", "lost", "canceled"};

// "/etcdserverpb.KV/Put": KV.
std::string_view family_of(std::string_view path) {
  path = path.substr(0, path.rfind('/'));
  return path.substr(path.rfind('.') + 1);
}

std::optional<int64_t> parse_epoch(std::string_view text) {
  int64_t epoch = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), epoch);
  const bool good = error == std::errc() && end == text.data() + text.size() && epoch >= 0;
  return good ? std::optional(epoch) : std::nullopt;
}

std::string expected_observed(int64_t named, int64_t ours) {
  return " (expected: " + std::to_string(named) + ", observed: " + std::to_string(ours) + ")";
}

void add_epoch(proxy::ServerStream& stream, int64_t epoch) {
  if (epoch > 0) stream.add_header(epoch_metadata, std::to_string(epoch));
}

std::unique_ptr<proxy::Call> refuse(proxy::ServerStream& stream, proxy::GrpcCode code,
                                    std::string text) {
  stream.finish({code, std::move(text)});
  return std::make_unique<proxy::EndedCall>();
}

}  // namespace

// A call that leaves here: a shutdown waits for it, or ends it.
class Forwarding::EdgeCall final : public peer::ForwardingCall {
 public:
  EdgeCall(Forwarding& owner, proxy::ServerStream& stream, const Method& method, Route route)
      : ForwardingCall(owner.parts_.loop, *owner.client_, stream, std::move(route)),
        owner_(owner),
        method_(method) {
    owner.open_.add(1);
    if (method.is_long) {
      long_.emplace(owner.parts_.services.open_calls, *this);
    } else {
      ++owner.parts_.services.running_calls;
    }
  }

 private:
  class LongCall final : public etcd::OpenCall {
   public:
    LongCall(etcd::OpenCalls& calls, EdgeCall& call) : OpenCall(calls), call_(call) {}
    void end(const Status& status) override { call_.ForwardingCall::end(etcd::to_grpc(status)); }

   private:
    EdgeCall& call_;
  };

  void on_over(Outcome outcome) override {
    owner_.open_.add(-1);
    method_.outcomes[static_cast<size_t>(outcome)]->add();
    if (!method_.is_long) --owner_.parts_.services.running_calls;
  }

  Forwarding& owner_;
  const Method& method_;
  std::optional<LongCall> long_;
};

Forwarding::Forwarding(const Parts& parts)
    : parts_(parts),
      requests_(parts.registry.counters(
          "lattice_forwarded_requests_total",
          "Requests that were passed on to a node that serves their tenant, by service and by how "
          "they ended.",
          {"service", "outcome"})),
      open_(parts.registry.gauge("lattice_forwarded_requests_open",
                                 "Requests and streams that another node is serving now.")) {}

Forwarding::~Forwarding() = default;

void Forwarding::close() { client_.reset(); }

void Forwarding::install(proxy::Router& router) {
  router.wrap_grpc([this](std::string_view path, proxy::CallFactory serve) {
    if (path.starts_with(own_service)) return serve;
    return proxy::CallFactory([this, method = method_of(path, std::move(serve))](
                                  proxy::ServerStream& stream) { return start(stream, method); });
  });
}

Forwarding::Method Forwarding::method_of(std::string_view path, proxy::CallFactory serve) {
  Method method;
  method.serve = std::move(serve);
  for (size_t i = 0; i < method.outcomes.size(); ++i) {
    method.outcomes[i] = &requests_.with({family_of(path), outcome_names[i]});
  }
  method.is_long = std::ranges::find(long_methods, path) != std::end(long_methods);
  return method;
}

void Forwarding::connect(std::unique_ptr<peer::Surroundings> around, Governor governor) {
  governor_ = std::move(governor);
  around_ = std::move(around);
  if (around_ != nullptr) client_ = std::make_unique<peer::ForwardClient>(*around_);
}

std::unique_ptr<proxy::Call> Forwarding::start(proxy::ServerStream& stream, const Method& method,
                                               bool refreshed) {
  const Result<std::string_view> tenant = parts_.tenants.identify(stream);
  if (!tenant.ok()) return method.serve(stream);  // which refuses it
  const auto found = routes_->find(*tenant);
  const Route& route = found == routes_->end() ? everywhere_ : found->second;
  const int64_t ours = route.epoch;
  const std::string_view text = stream.metadata(epoch_metadata);
  const std::optional<int64_t> named = text.empty() ? ours : parse_epoch(text);
  if (!named) {
    return refuse(stream, proxy::GrpcCode::invalid_argument,
                  std::string(epoch_metadata) + ": expected a number");
  }
  if (*named < ours) {
    add_epoch(stream, ours);
    return refuse(stream, proxy::GrpcCode::failed_precondition,
                  "routing epoch changed" + expected_observed(*named, ours));
  }
  const proxy::ForwardedFacts* forwarded = stream.forwarded();
  const int64_t heard = forwarded == nullptr ? 0 : forwarded->routing_epoch;
  const auto doubted = doubted_.find(*tenant);
  const bool asked_in_vain = doubted != doubted_.end() && heard <= doubted->second;
  const bool may_be_late = *named > ours || (heard > ours && !asked_in_vain);
  if (may_be_late && !refreshed && governor_.refresh) return start_refreshed(stream, method);
  if (*named > ours) {
    add_epoch(stream, ours);
    return refuse(stream, proxy::GrpcCode::unavailable,
                  "routing epoch not known here yet" + expected_observed(*named, ours));
  }
  if (heard > ours && !asked_in_vain && governor_.hear_of_epoch) {
    doubted_[forwarded->tenant] = heard;
    governor_.hear_of_epoch(forwarded->tenant, heard);
  }
  if (forwarded == nullptr && route.elsewhere) return pass_on(stream, method, *tenant, route);
  add_epoch(stream, ours);
  return method.serve(stream);
}

// What is not known here may be known by now.
std::unique_ptr<proxy::Call> Forwarding::start_refreshed(proxy::ServerStream& stream,
                                                         const Method& method) {
  auto call = std::make_unique<DeferredCall>(stream);
  DeferredCall* const deferred = call.get();
  governor_.refresh([this, deferred, alive = call->alive(), &stream, &method] {
    if (!*alive) return;
    deferred->begin([&] { return start(stream, method, /*refreshed=*/true); });
  });
  return call;
}

std::unique_ptr<proxy::Call> Forwarding::pass_on(proxy::ServerStream& stream, const Method& method,
                                                 std::string_view tenant, const Route& route) {
  if (parts_.services.leaving && method.is_long) {
    stream.finish(etcd::to_grpc(Error::stopped));
    return std::make_unique<proxy::EndedCall>();
  }
  if (client_ == nullptr) {
    method.outcomes[static_cast<size_t>(peer::ForwardingCall::Outcome::unreachable)]->add();
    return refuse(stream, proxy::GrpcCode::unavailable, peer::unreachable_text);
  }
  return std::make_unique<EdgeCall>(
      *this, stream, method,
      peer::ForwardingCall::Route{route.addresses, {std::string(tenant), route.epoch}});
}

}  // namespace lattice::server
