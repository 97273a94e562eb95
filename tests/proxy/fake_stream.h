// A call without a transport: what a request says of itself, and an answer that goes nowhere.
// Thread: one.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "proxy/call.h"

namespace lattice::proxy::testing {

class FakeStream : public ServerStream {
 public:
  explicit FakeStream(Metadata metadata = {}) : metadata_(std::move(metadata)) {}

  void add_metadata(std::string name, std::string value) {
    metadata_.emplace_back(std::move(name), std::move(value));
  }
  void set_method(std::string path) { method_ = std::move(path); }
  void set_certificate(PeerCertificate certificate) { certificate_ = std::move(certificate); }
  void set_server_name(std::string name) { server_name_ = std::move(name); }

  const Metadata& metadata() const override { return metadata_; }
  std::string_view metadata(std::string_view name) const override {
    for (const auto& [key, value] : metadata_) {
      if (key == name) return value;
    }
    return {};
  }
  std::optional<Instant> deadline() const override { return std::nullopt; }
  std::string_view peer() const override { return "127.0.0.1:1"; }
  std::string_view method() const override { return method_; }
  const PeerCertificate* peer_certificate() const override {
    return certificate_ ? &*certificate_ : nullptr;
  }
  std::string_view server_name() const override { return server_name_; }
  void send(ByteChain) override {}
  void finish(GrpcStatus) override {}
  size_t pending_bytes() const override { return 0; }

 private:
  Metadata metadata_;
  std::string method_;
  std::optional<PeerCertificate> certificate_;
  std::string server_name_;
};

}  // namespace lattice::proxy::testing
