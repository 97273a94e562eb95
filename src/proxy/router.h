// What a server serves: gRPC methods by exact path, and plain HTTP paths. Filled at start, then
// shared read-only by every connection of its loop. Thread: the loop's; one Router per loop,
// because services hold per-loop handles to their tenants.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "proxy/call.h"

namespace lattice::proxy {

struct HttpRequest {
  std::string method;
  std::string path;   // without the query
  std::string query;  // behind '?', undecoded
  Metadata headers;
  std::string body;
  // As ServerStream has them.
  std::shared_ptr<const PeerCertificate> peer_certificate = {};
  std::string server_name = {};
  std::string peer = {};
};

struct HttpResponse {
  int status = 200;
  Metadata headers;  // content-type, allow, ...; content-length and CORS are the transport's
  std::string body;
};

using HttpRespond = absl::AnyInvocable<void(HttpResponse)>;
// Must call `respond` exactly once, now or later; answering after the client left is harmless.
using HttpHandler = absl::AnyInvocable<void(HttpRequest, HttpRespond) const>;

class Router {
 public:
  // Requires: not registered yet.
  void add_grpc(std::string_view path, CallFactory factory);
  // A path that ends in '/' serves everything below it.
  void add_http(std::string_view path, HttpHandler handler);
  // From now on each method is started by what `wrap` makes of what has started it so far.
  void wrap_grpc(absl::FunctionRef<CallFactory(std::string_view path, CallFactory factory)> wrap);

  // From now on only these paths, and what is below those that end in '/', are served to clients
  // without a certificate. Requires: at most once.
  void require_certificates(std::vector<std::string> except);
  bool admits(std::string_view path, const PeerCertificate* certificate) const {
    return !certificates_required_ || certificate != nullptr || is_open(path);
  }

  // Null when there is none; the transport then answers UNIMPLEMENTED or 404 as etcd does.
  const CallFactory* find_grpc(std::string_view path) const;
  const HttpHandler* find_http(std::string_view path) const;
  // All of them, in order.
  std::vector<std::string> grpc_paths() const;
  // Whether any method of "/service/" is known: decides between etcd's two UNIMPLEMENTED texts.
  bool knows_service(std::string_view path) const;

 private:
  // Lookup by string_view: the path is where the request's headers lie.
  struct PathHash {
    using is_transparent = void;
    size_t operator()(std::string_view path) const { return std::hash<std::string_view>()(path); }
  };
  template <class T>
  using PathMap = absl::flat_hash_map<std::string, T, PathHash, std::equal_to<>>;

  bool is_open(std::string_view path) const;

  std::vector<std::string> open_paths_;  // with certificates_required_
  bool certificates_required_ = false;
  PathMap<CallFactory> grpc_;
  PathMap<HttpHandler> http_;
};

}  // namespace lattice::proxy
