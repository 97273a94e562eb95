// gRPC calls to one endpoint of the control plane, over one HTTP/2 connection. It does not
// reconnect: make another one.
//
// Thread: its loop's; no callback comes inside call() or open().
// Ownership: owns the calls; the context outlives it. Not destroyed inside a callback of its own:
//   close() it there.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "base/callback.h"
#include "proxy/http2_client.h"

namespace lattice::control {

class Connection {
 public:
  // `on_lost` is called once, with the reason, behind the calls that were under way.
  Connection(proxy::ClientContext& context, const std::string& address,
             std::shared_ptr<const tls::Source> tls, Duration connect_timeout,
             absl::AnyInvocable<void(std::string reason)> on_lost);
  ~Connection();

  // One message there, one back. Errors: backend_unavailable, with what the server said.
  template <class Request, class Answer>
  void call(std::string_view path, const Request& request, Duration timeout,
            Callback<Answer> done) {
    ask(path, request.SerializeAsString(), timeout,
        [done = std::move(done)](const Result<Bytes>& bytes) mutable {
          if (!bytes.ok()) return done(bytes.status());
          Answer answer;
          const std::string_view view = bytes->view();
          if (!answer.ParseFromArray(view.data(), static_cast<int>(view.size()))) {
            return done(Status(Error::backend_unavailable, "the answer is no such message"));
          }
          done(std::move(answer));
        });
  }
  // A stream that begins with `first`.
  [[nodiscard]] std::unique_ptr<proxy::ClientStream> open(std::string_view path,
                                                          const std::string& first,
                                                          proxy::ClientStreamEvents& events);
  // No callback follows.
  void close();

 private:
  class UnaryCall;
  void ask(std::string_view path, const std::string& request, Duration timeout,
           Callback<Bytes> done);
  void settle(uint64_t id, Result<Bytes> result);

  loop::Loop& loop_;
  std::unique_ptr<proxy::Http2Client> client_;
  absl::flat_hash_map<uint64_t, std::unique_ptr<UnaryCall>> calls_;
  uint64_t last_id_ = 0;
};

}  // namespace lattice::control
