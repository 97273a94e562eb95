#include "peer/outbox.h"

#include <utility>

#include "peer/codec.h"

namespace lattice::peer {
namespace {

// A frame that has grown beyond this leaves before the turn ends.
constexpr size_t outbox_frame_bytes = 1 << 20;
// Frames, length fields included, must stay below 2 GiB.
constexpr size_t answer_bytes_max = (size_t{1} << 30) - (64 << 10);
// A peer that asks without taking the answers.
constexpr size_t unsent_bytes_max = size_t{1} << 30;

}  // namespace

// One answer that is owed.
class Outbox::Ticket {
 public:
  Ticket(std::shared_ptr<Outbox> outbox, uint64_t id) : outbox_(std::move(outbox)), id_(id) {}
  Ticket(Ticket&&) noexcept = default;
  Ticket& operator=(Ticket&&) = delete;
  ~Ticket() {
    if (outbox_ == nullptr) return;
    replica::PeerReply lost;
    lost.answer = Error::timeout_connection_lost;
    use(lost);
  }
  void use(const replica::PeerReply& reply) {
    const std::shared_ptr<Outbox> outbox = std::exchange(outbox_, nullptr);
    if (outbox == nullptr) return;
    --outbox->expected_;
    outbox->answer(id_, reply);
  }

 private:
  std::shared_ptr<Outbox> outbox_;
  uint64_t id_;
};

absl::AnyInvocable<void(replica::PeerReply)> Outbox::expect(uint64_t id) {
  ++expected_;
  return [ticket = Ticket(shared_from_this(), id)](const replica::PeerReply& reply) mutable {
    ticket.use(reply);
  };
}

void Outbox::answer(uint64_t id, const replica::PeerReply& reply) {
  if (stream_ == nullptr) return;
  std::string encoded = encode_answer(id, reply);
  if (encoded.empty() || encoded.size() > answer_bytes_max) {
    replica::PeerReply lost;
    lost.answer = Status(Error::timeout_connection_lost, "the answer is too large for a message");
    encoded = encode_answer(id, lost);
  }
  if (!frame_.empty() && frame_.size() + encoded.size() > outbox_frame_bytes) flush();
  if (frame_.empty()) {
    frame_ = std::move(encoded);
  } else {
    frame_.append(encoded);
  }
  if (std::exchange(flush_scheduled_, true)) return;
  loop_.defer([self = shared_from_this()] {
    self->flush_scheduled_ = false;
    self->flush();
  });
}

void Outbox::flush() {
  if (frame_.empty() || stream_ == nullptr) return;
  stream_->send(ByteChain(key_.seal(std::exchange(frame_, {}))));
  if (stream_->pending_bytes() <= unsent_bytes_max) return;
  std::exchange(stream_, nullptr)
      ->finish({proxy::GrpcCode::resource_exhausted, "the answers are not taken"});
}

}  // namespace lattice::peer
