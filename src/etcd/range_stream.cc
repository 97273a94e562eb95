// KV.RangeStream: a Range answer in pieces. The list is read once, at one revision; what waits for
// the client is a list of references, and bytes are made only as fast as flow control takes them.
#include "etcd/methods.h"
#include "etcd/overload.h"
#include "etcd/stream_call.h"
#include "keyspace/keyspace.h"

namespace lattice::etcd {
namespace {

constexpr size_t first_chunk_keys = 10;
constexpr size_t chunk_bytes = 1 << 20;
// The stream is fed while less than this waits in the transport.
constexpr size_t pending_bytes_max = 2 << 20;

class RangeStreamCall final : public StreamCall {
 public:
  RangeStreamCall(Services& services, proxy::ServerStream& stream, TurnLag& lag)
      : StreamCall(services, stream), lag_(lag) {}

  void on_sent(size_t) override {
    if (ready_ && !ended()) feed();
  }
  // A list under way is short-lived: a shutdown waits for it like for any unary call.
  void end(const Status&) override {}

 private:
  bool may_be_refused() const override { return true; }
  void on_request(std::string_view message) override {
    if (asked_) return;
    asked_ = true;
    Result<keyspace::RangeRequest> request = decode_range(message);
    if (!request.ok()) return finish(request.status());
    if (Status status = keyspace::validate(*request); !status.ok()) return finish(status);
    if (Status status = check_offered(*request); !status.ok()) return finish(status);
    const Duration waited = shed(services(), stream(), Sheddable::list, lag_);
    if (waited > Duration{}) return refuse(overload_status(waited));
    tenant().api.range(std::move(*request),
                       answer<RangeStreamCall, keyspace::RangeResult>(
                           [](RangeStreamCall& call, keyspace::RangeResult& result) {
                             call.result_ = std::move(result);
                             call.ready_ = true;
                             call.feed();
                           }),
                       caller());
  }

  // Clients fall back to Range on Unimplemented (etcd-v3.md 1.3).
  static Status check_offered(const keyspace::RangeRequest& request) {
    bool by_key_upward = request.sort_order == keyspace::SortOrder::ascend &&
                         request.sort_target == keyspace::SortTarget::key;
    if (request.sort_order != keyspace::SortOrder::none && !by_key_upward) {
      return {Error::unimplemented, "RangeStream does not support custom sort orders"};
    }
    if (request.min_mod_revision.value != 0 || request.max_mod_revision.value != 0 ||
        request.min_create_revision.value != 0 || request.max_create_revision.value != 0) {
      return {Error::unimplemented, "RangeStream does not support revision filters"};
    }
    return {};
  }

  // on_sent() may come from inside send().
  void feed() {
    if (feeding_) return;
    feeding_ = true;
    while (!ended() && stream().pending_bytes() < pending_bytes_max) send_chunk();
    feeding_ = false;
  }

  void send_chunk() {
    size_t end = chunk_end();
    keyspace::RangeResult chunk;
    chunk.keys_only = result_.keys_only;
    chunk.keys_only_with_lease = result_.keys_only_with_lease;
    chunk.kvs.assign(std::make_move_iterator(result_.kvs.begin() + static_cast<ptrdiff_t>(next_)),
                     std::make_move_iterator(result_.kvs.begin() + static_cast<ptrdiff_t>(end)));
    next_ = end;
    if (next_ < result_.kvs.size()) return send(encode_stream_chunk(chunk));
    // The last piece, alone, has header, more and count.
    chunk.header_revision = result_.header_revision;
    chunk.more = result_.more;
    chunk.count = result_.count;
    send(encode_stream_end(tenant().header(), chunk));
    finish({});
  }

  size_t chunk_end() const {
    if (next_ == 0) return std::min(first_chunk_keys, result_.kvs.size());
    size_t end = next_;
    for (size_t bytes = 0; end < result_.kvs.size() && bytes < chunk_bytes; ++end) {
      bytes += result_.kvs[end]->encoded_view().size();
    }
    return end;
  }

  keyspace::RangeResult result_;
  size_t next_ = 0;
  TurnLag& lag_;  // of the loop's streams
  bool asked_ = false;
  bool ready_ = false;
  bool feeding_ = false;
};

}  // namespace

void register_range_stream(Services& services, proxy::Router& router) {
  router.add_grpc("/etcdserverpb.KV/RangeStream", sheddable_factory_of<RangeStreamCall>(services));
}

}  // namespace lattice::etcd
