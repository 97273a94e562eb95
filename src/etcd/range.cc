// KV.Range. While other tenants want the loop, too, a long list is read and encoded in pieces, all
// of one revision, each when it is the tenant's turn (proxy/fair_shares.h).
#include <algorithm>

#include "etcd/methods.h"
#include "etcd/overload.h"
#include "etcd/unary.h"

namespace lattice::etcd {
namespace {

using keyspace::RangeRequest;
using keyspace::RangeResult;

// Of the first piece. Later ones follow the time that they take.
constexpr int64_t first_piece_keys = 500;
constexpr size_t piece_keys_min = 64;
constexpr size_t piece_keys_per_size = 8;

// A list in the order of its keys, of which any part can be asked for alone.
bool may_be_cut(const RangeRequest& request) {
  constexpr Revision unset;
  return !request.range.end.empty() && !request.count_only &&
         request.sort_order == keyspace::SortOrder::none &&
         request.sort_target == keyspace::SortTarget::key && request.min_mod_revision == unset &&
         request.max_mod_revision == unset && request.min_create_revision == unset &&
         request.max_create_revision == unset;
}

class RangeCall final : public OneOperationCall, private proxy::FairWaiter {
 public:
  // What all ranges of a loop share.
  struct Shared {
    TurnLag lag;
    ListBurst burst;
  };
  RangeCall(Services& services, proxy::ServerStream& stream, Shared& shared)
      : OneOperationCall(services, stream), shared_(shared) {}
  ~RangeCall() override {
    leave_burst();
    leave_queue();
  }

 private:
  void handle(Tenant& tenant, std::string_view message) override {
    pieces_.reset();
    leave_burst();
    Result<RangeRequest> request = decode_range(message);
    if (!request.ok()) return fail(request.status());
    const Sheddable kind = request->range.end.empty() ? Sheddable::point : Sheddable::list;
    const Duration waited = shed(services(), stream(), kind, shared_.lag);
    if (waited > Duration{}) return finish(overload_status(waited));
    const proxy::FairShares* const shares = services().shares;
    const bool short_one = request->limit > 0 && request->limit <= first_piece_keys;
    if (shares == nullptr || !shares->shared() || short_one || !may_be_cut(*request)) {
      return read_whole(std::move(*request));
    }
    read_in_pieces(tenant, std::move(*request));
  }
  void on_gone() override {
    leave_burst();
    leave_queue();
  }
  // False: it is refused.
  bool join_burst() {
    const Duration wait = shed_late_in(shared_.burst, services());
    if (wait > Duration{}) {
      finish(overload_status(wait));
      return false;
    }
    shared_.burst.begin();
    return in_burst_ = true;
  }
  // Whether it was part of it.
  bool leave_burst() {
    if (!in_burst_) return false;
    shared_.burst.end();
    in_burst_ = false;
    return true;
  }
  void leave_queue() {
    if (services().shares != nullptr) services().shares->remove(*this);
  }

  void read_whole(RangeRequest request) {
    if (!request.range.end.empty() && !join_burst()) return;
    tenant().api.range(std::move(request),
                       answer<RangeCall, RangeResult>([](RangeCall& call, RangeResult& result) {
                         const bool list = call.leave_burst();
                         if (call.refuse_late()) return;
                         ByteChain message = encode(call.tenant().header(), result);
                         if (list) call.shared_.burst.note(message.size());
                         call.reply(std::move(message));
                       }),
                       caller());
  }

  // It was let in with many others, whose answers nobody has taken since.
  bool refuse_late() {
    const Duration wait = shed_answer(services(), stream());
    if (wait > Duration{}) finish(overload_status(wait));
    return wait > Duration{};
  }

  struct Pieces {
    RangeRequest whole;
    RangeRequest next;
    int64_t left = 0;   // of the whole's limit; 0: it has none
    int64_t count = 0;  // of the whole
    ByteChain encoded;
  };

  void read_in_pieces(Tenant& tenant, RangeRequest request) {
    if (proxy::FairAccount* account = stream().fair_account()) pay_from(*account);
    pieces_ = std::make_unique<Pieces>();
    pieces_->next = request;
    pieces_->next.limit = first_piece_keys;
    pieces_->left = std::max<int64_t>(request.limit, 0);
    pieces_->whole = std::move(request);
    tenant.api.range(pieces_->next, answer<RangeCall, RangeResult>([](auto& call, auto& result) {
                       call.on_first_piece(result);
                     }),
                     caller());
  }

  void on_first_piece(RangeResult& piece) {
    if (refuse_late()) return;
    if (!piece.more) return reply(encode(tenant().header(), piece));
    pieces_->count = std::exchange(piece.count, 0);
    piece.more = false;
    pieces_->encoded = encode(tenant().header(), piece);
    pieces_->next.revision = piece.header_revision;
    if (pieces_->whole.revision.value > 0) pieces_->next.revision = pieces_->whole.revision;
    pieces_->next.serializable = true;
    go_on_behind(piece);
  }

  void on_piece(RangeResult& piece) {
    if (refuse_late()) return;
    const bool last = !piece.more || static_cast<int64_t>(piece.kvs.size()) == pieces_->left;
    if (!last) piece.more = false;
    piece.count = last ? pieces_->count : 0;
    pieces_->encoded.append(encode_rest(piece));
    if (last) return reply(std::move(pieces_->encoded));
    go_on_behind(piece);
  }

  void go_on_behind(const RangeResult& piece) {
    if (pieces_->left > 0) pieces_->left -= static_cast<int64_t>(piece.kvs.size());
    pieces_->next.range.key = piece.kvs.back()->key();
    pieces_->next.range.key.push_back('\0');
    services().shares->note(tenant().flow, services().shares->now());
    services().shares->enqueue(*this, tenant().flow);
  }

  bool run(size_t size) override {
    const auto keys = static_cast<int64_t>(std::max(size / piece_keys_per_size, piece_keys_min));
    const int64_t left = pieces_->left;
    pieces_->next.limit = left > 0 ? std::min(left, keys) : keys;
    tenant().api.range(pieces_->next, answer<RangeCall, RangeResult>([](auto& call, auto& result) {
                         call.on_piece(result);
                       }),
                       caller());
    return false;
  }

  void fail(const Status& status) override {
    // Compacted since the first piece: the list as it is now, at once.
    const bool cut = pieces_ != nullptr && pieces_->encoded.size() > 0;
    if (!cut || status.error() != Error::compacted) return reject(status);
    const std::unique_ptr<Pieces> pieces = std::move(pieces_);
    read_whole(std::move(pieces->whole));
  }

  Shared& shared_;
  bool in_burst_ = false;
  std::unique_ptr<Pieces> pieces_;  // null: read as a whole
};

}  // namespace

void register_range(Services& services, proxy::Router& router) {
  router.add_grpc("/etcdserverpb.KV/Range",
                  sheddable_factory_of<RangeCall, RangeCall::Shared>(services));
}

}  // namespace lattice::etcd
