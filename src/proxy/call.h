// The seam between transport and services: a gRPC call as the two sides see it. The transport
// (src/proxy) frames, compresses, enforces deadlines, sizes and flow control; a service (src/etcd)
// implements Call and talks back through ServerStream.
//
// Thread: both live on the connection's loop.
// Ownership: the transport owns the Call and destroys it, never inside one of its own callbacks,
//   after the stream has ended; answers that arrive later from elsewhere must not touch it: hold a
//   CallGuard.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "base/byte_chain.h"
#include "base/time.h"
#include "proxy/fair_shares.h"

namespace lattice::proxy {

// gRPC status codes, by the numbers of the wire.
enum class GrpcCode : uint8_t {
  ok = 0,
  canceled = 1,
  unknown = 2,
  invalid_argument = 3,
  deadline_exceeded = 4,
  not_found = 5,
  already_exists = 6,
  permission_denied = 7,
  resource_exhausted = 8,
  failed_precondition = 9,
  aborted = 10,
  out_of_range = 11,
  unimplemented = 12,
  internal = 13,
  unavailable = 14,
  data_loss = 15,
  unauthenticated = 16,
};

// Request metadata: lower-case names, binary values ("-bin") already decoded. Pseudo-headers and
// the headers that the transport consumes itself are not among them.
using Metadata = std::vector<std::pair<std::string, std::string>>;

struct GrpcStatus {
  GrpcCode code = GrpcCode::ok;
  std::string message;
  // Sent behind the two, by names as in Metadata; binary values are encoded by the transport.
  Metadata trailers = {};
};

// What a client's certificate says of it. The certificate was verified: by an authority that the
// listener trusts, and it is in force.
struct PeerCertificate {
  std::string common_name;                   // the subject's; empty: none
  std::vector<std::string> dns_names, uris;  // the subject's alternative names
};

// What another node, where the client is, has found out about a call that it has passed on.
struct ForwardedFacts {
  std::string tenant;
  int64_t routing_epoch = 0;  // of the tenant, as that node knows it; 0: none
};

class ServerStream {
 public:
  virtual ~ServerStream() = default;

  virtual const Metadata& metadata() const = 0;
  // The value of one metadata entry, or empty.
  virtual std::string_view metadata(std::string_view name) const = 0;
  virtual std::optional<Instant> deadline() const = 0;
  // "127.0.0.1:54321", for logs.
  virtual std::string_view peer() const = 0;
  // "/etcdserverpb.KV/Put", for logs.
  virtual std::string_view method() const { return {}; }
  // Null without TLS, and for a client that showed no certificate. Lives as long as the call.
  virtual const PeerCertificate* peer_certificate() const { return nullptr; }
  // The host that the client named in its TLS handshake (SNI), in lower case; empty: none.
  virtual std::string_view server_name() const { return {}; }
  // Null for a call that came from its client.
  virtual const ForwardedFacts* forwarded() const { return nullptr; }
  // The call ends as refused, and nothing was done for it: whoever has passed it on may ask another
  // node. Followed by finish().
  virtual void decline() {}
  // Messages of the request may be compressed; then those of the answer are, too.
  virtual bool uses_gzip() const { return false; }
  // The client's x-request-id, or one that was made for the call's line in the log; empty: neither.
  virtual std::string_view request_id() const { return {}; }

  // One more entry of the answer's metadata. Requires: nothing was sent yet.
  virtual void add_header(std::string name, std::string value) {
    (void)name;
    (void)value;
  }
  // Queues one response message; the transport adds the gRPC prefix (and gzip where negotiated).
  // Never blocks; look at pending_bytes() to stay polite.
  virtual void send(ByteChain message) = 0;
  // Queues part of an answer that another server has framed: prefixes and all, cut anywhere.
  // Requires: send() is not used.
  virtual void send_framed(Bytes part) { (void)part; }
  // Ends the call with trailers. Nothing may be sent afterwards.
  virtual void finish(GrpcStatus status) = 0;
  // A unary answer in one go: message and OK.
  void reply(ByteChain message) {
    send(std::move(message));
    finish({});
  }
  // Queued message bytes that HTTP/2 flow control and the socket have not taken yet.
  virtual size_t pending_bytes() const = 0;
  // While paused, the client's window runs out: what is on its way still comes.
  virtual void pause_input(bool paused) { (void)paused; }
  // Whose work the call is, and its connection's from now on. False: that tenant may not have one
  // more connection.
  [[nodiscard]] virtual bool belong_to(const SharedFlow& flow) {
    (void)flow;
    return true;
  }
  // For how long what the client sends has waited to be read, where that is too long (overload);
  // otherwise zero.
  virtual Duration overdue() const { return {}; }
  // Whether the client leaves so much unread of what it was answered that reads are to be refused
  // (overload).
  virtual bool answers_pile_up() const { return false; }
  // Larger request messages end the call from here on; never more than the listener allows.
  virtual void limit_messages(size_t bytes_max) { (void)bytes_max; }
  // What its connection's work is charged to; null: nobody counts.
  virtual FairAccount* fair_account() { return nullptr; }
};

// What a call's service says of it for a line in the log.
struct CallNotes {
  std::string tenant;
  // How long its parts took, in their order; the names live for ever.
  std::vector<std::pair<std::string_view, Duration>> phases;
};

class Call {
 public:
  virtual ~Call() = default;
  // A whole, decompressed request message.
  virtual void on_message(Bytes message) = 0;
  // The client has sent its last message. (etcd's watches live on after it.)
  virtual void on_half_close() {}
  // `bytes` of queued messages have left for the socket.
  virtual void on_sent(size_t bytes) { (void)bytes; }
  // The stream is gone before finish(): reset, deadline, connection loss or drain. Last callback.
  virtual void on_cancel() {}
  // Asked for at the call's end, whatever ended it, and only if there is to be a line. `since` and
  // `until`: when the call came and when it ended.
  virtual void describe(Instant since, Instant until, CallNotes* notes) const {
    (void)since;
    (void)until;
    (void)notes;
  }
};

// A call that was ended as it began.
class EndedCall final : public Call {
 public:
  void on_message(Bytes) override {}
};

// How a service starts: one factory per method path ("/etcdserverpb.KV/Range").
using CallFactory = absl::AnyInvocable<std::unique_ptr<Call>(ServerStream&) const>;

// A handle for answers that come later: empty once the call is over. Copyable, loop-local.
class CallGuard {
 public:
  CallGuard() : alive_(std::make_shared<bool>(true)) {}
  ~CallGuard() { *alive_ = false; }
  CallGuard(const CallGuard&) = delete;
  CallGuard& operator=(const CallGuard&) = delete;
  // Keep a copy in the callback; test it before touching the call.
  std::shared_ptr<const bool> token() const { return alive_; }

 private:
  std::shared_ptr<bool> alive_;
};

}  // namespace lattice::proxy
