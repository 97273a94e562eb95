#include "control/registration.h"

#include <chrono>
#include <utility>

#include "proto/rpc.pb.h"

namespace lattice::control {
namespace {

constexpr int64_t lease_seconds = 10;
constexpr Duration renewal = std::chrono::seconds(3);

}  // namespace

void Registration::on_connected(Connection& connection) {
  if (left_) return;
  connection_ = &connection;
  lease_ == 0 ? grant() : keep_alive();
}

void Registration::on_disconnected() {
  connection_ = nullptr;
  timer_.reset();
}

void Registration::again() {
  if (left_) return;
  timer_ = loop_.after(renewal, [this] { lease_ == 0 ? grant() : keep_alive(); });
}

void Registration::fail(const Status& status) {
  if (status.detail() != told_) {
    told_ = status.detail();
    options_.on_trouble(told_);
  }
  again();
}

void Registration::grant() {
  etcdserverpb::LeaseGrantRequest request;
  request.set_ttl(lease_seconds);
  connection_->call<etcdserverpb::LeaseGrantRequest, etcdserverpb::LeaseGrantResponse>(
      "/etcdserverpb.Lease/LeaseGrant", request, options_.request_timeout,
      [this](const Result<etcdserverpb::LeaseGrantResponse>& granted) {
        if (!granted.ok()) return fail(granted.status());
        lease_ = granted->id();
        put();
      });
}

void Registration::put() {
  etcdserverpb::PutRequest request;
  request.set_key(options_.key);
  request.set_value(options_.document);
  request.set_lease(lease_);
  connection_->call<etcdserverpb::PutRequest, etcdserverpb::PutResponse>(
      "/etcdserverpb.KV/Put", request, options_.request_timeout,
      [this](const Result<etcdserverpb::PutResponse>& done) {
        if (!done.ok()) {
          lease_ = 0;  // which runs out
          return fail(done.status());
        }
        told_.clear();
        again();
      });
}

void Registration::keep_alive() {
  etcdserverpb::LeaseKeepAliveRequest request;
  request.set_id(lease_);
  // A stream in etcd's API; one renewal to a stream is as good.
  connection_->call<etcdserverpb::LeaseKeepAliveRequest, etcdserverpb::LeaseKeepAliveResponse>(
      "/etcdserverpb.Lease/LeaseKeepAlive", request, options_.request_timeout,
      [this](const Result<etcdserverpb::LeaseKeepAliveResponse>& kept) {
        if (!kept.ok()) return fail(kept.status());
        if (kept->ttl() > 0) return again();
        lease_ = 0;
        if (!left_) grant();
      });
}

void Registration::leave() {
  left_ = true;
  timer_.reset();
  if (connection_ == nullptr || lease_ == 0) return;
  etcdserverpb::LeaseRevokeRequest request;
  request.set_id(std::exchange(lease_, 0));
  connection_->call<etcdserverpb::LeaseRevokeRequest, etcdserverpb::LeaseRevokeResponse>(
      "/etcdserverpb.Lease/LeaseRevoke", request, options_.request_timeout,
      [](const Result<etcdserverpb::LeaseRevokeResponse>&) {});
}

}  // namespace lattice::control
