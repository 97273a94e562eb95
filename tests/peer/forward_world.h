// A node where clients are, one that serves, and a service that does as it is told.
// Thread: a test's, which drives the loop by hand.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "peer/forward_client.h"
#include "peer/forward_server.h"
#include "peer/forwarding_call.h"
#include "peer/peer_world.h"
#include "proxy/fake_stream.h"

namespace lattice::peer {

inline constexpr const char* served_method = "/test.Service/Call";

// What the service has been asked, and its way to answer. Dies with the call.
struct Served final : public proxy::Call {
  Served(proxy::ServerStream& with, std::vector<Served*>& in) : stream(with), list(in) {
    list.push_back(this);
  }
  ~Served() override { std::erase(list, this); }
  void on_message(Bytes message) override { messages.emplace_back(message.view()); }
  void on_half_close() override { half_closed = true; }
  void on_cancel() override { canceled = true; }

  proxy::ServerStream& stream;
  std::vector<Served*>& list;
  std::vector<std::string> messages;
  bool half_closed = false;
  bool canceled = false;
};

struct ServingNode : ServerNode {
  explicit ServingNode(loop::Loop& loop, const std::string& bind = "127.0.0.1:0")
      : ServerNode(loop, {"secret"}, {}, bind), forward(around) {
    services.add_grpc(served_method, [this](proxy::ServerStream& stream) {
      return std::make_unique<Served>(stream, calls);
    });
    forward.register_with(router, services);
  }
  ~ServingNode() { listener.reset(); }

  std::vector<Served*> calls;
  proxy::Router services;
  ForwardServer forward;
};

// The client's stream at the node where it is connected.
struct EdgeStream final : public proxy::testing::FakeStream {
  explicit EdgeStream(proxy::Metadata metadata = {}) : FakeStream(std::move(metadata)) {
    set_method(served_method);
  }
  void add_header(std::string name, std::string value) override {
    headers.emplace_back(std::move(name), std::move(value));
  }
  void send_framed(Bytes part) override {
    body.append(part.view());
    if (stuck) pending += part.size();
  }
  size_t pending_bytes() const override { return pending; }
  void pause_input(bool value) override { paused = value; }
  void finish(proxy::GrpcStatus with) override { status = std::move(with); }

  proxy::Metadata headers;
  std::string body;
  size_t pending = 0;
  bool stuck = false;  // the client takes nothing
  bool paused = false;
  std::optional<proxy::GrpcStatus> status;
};

class Edge final : public ForwardingCall {
 public:
  using ForwardingCall::ForwardingCall;
  std::optional<Outcome> outcome;

 private:
  void on_over(Outcome with) override { outcome = with; }
};

struct EdgeNode {
  explicit EdgeNode(loop::Loop& on_loop, const std::string& secret = "secret")
      : loop(on_loop),
        keyring({secret}),
        around(surroundings(on_loop, keyring, {}, &troubles)),
        client(around) {}

  std::unique_ptr<Edge> begin(EdgeStream& stream, std::vector<std::string> addresses) {
    return std::make_unique<Edge>(loop, client, stream,
                                  ForwardingCall::Route{std::move(addresses), {"team-a", 7}});
  }

  loop::Loop& loop;
  Keyring keyring;
  std::vector<std::string> troubles;
  Surroundings around;
  ForwardClient client;
};

}  // namespace lattice::peer
