// What a call's client sends: messages, cut out of the body and inflated.
#include <utility>

#include "proxy/context.h"
#include "proxy/grpc_exchange.h"
#include "proxy/http2_session.h"
#include "proxy/http2_stream.h"
#include "proxy/inflation.h"

namespace lattice::proxy {

size_t GrpcExchange::held() const {
  return assembler_.held() + (inflation_ == nullptr ? 0 : inflation_->held());
}

void GrpcExchange::on_data(std::string_view bytes) {
  if (half_closed_ || finished_) return;
  if (inflation_ != nullptr) {
    inflation_->behind.append(bytes);
  } else {
    take(bytes);
  }
}

void GrpcExchange::on_end() {
  if (half_closed_ || finished_) return;
  if (inflation_ != nullptr) {
    inflation_->ended = true;
    return;
  }
  half_closed_ = true;
  if (!assembler_.at_boundary()) return abort({GrpcCode::internal, "unexpected EOF"});
  call_->on_half_close();
}

void GrpcExchange::take(std::string_view bytes) {
  const auto outcome = assembler_.feed(&bytes, [this](Bytes message, bool compressed) {
    return compressed ? inflate(std::move(message)) : deliver(std::move(message));
  });
  switch (outcome) {
    case MessageAssembler::Outcome::ok:
      return;
    case MessageAssembler::Outcome::stopped:
      if (inflation_ != nullptr) inflation_->behind = bytes;
      return;
    case MessageAssembler::Outcome::too_large:
      return abort(
          {GrpcCode::resource_exhausted,
           "grpc: received message larger than max (" + std::to_string(assembler_.length()) +
               " vs. " +
               std::to_string(stream_.session().context().limits.receive_message_bytes_max) + ")"});
    case MessageAssembler::Outcome::bad_flag:
      return abort({GrpcCode::internal, "grpc: received unexpected payload format " +
                                            std::to_string(assembler_.flag())});
  }
}

bool GrpcExchange::deliver(Bytes message) {
  Observer* const observer = stream_.session().context().observer;
  if (observer != nullptr) observer->on_message_received(note_);
  call_->on_message(std::move(message));
  return !finished_;
}

bool GrpcExchange::inflate(Bytes message) {
  if (!gzip_) {
    abort({GrpcCode::internal, "grpc: compressed flag set with identity or empty encoding"});
    return false;
  }
  const size_t limit = stream_.session().context().limits.receive_message_bytes_max;
  auto inflater = std::make_unique<GzipInflater>(std::move(message), limit);
  const GzipInflater::State state = stream_.session().inflate_at_once(*inflater);
  if (state != GzipInflater::State::more) return deliver_inflated(*inflater, state);
  inflation_ = std::make_unique<Inflation>(*this, std::move(inflater));
  stream_.session().inflate_later(*inflation_);
  return false;
}

bool GrpcExchange::deliver_inflated(GzipInflater& inflater, GzipInflater::State state) {
  if (state == GzipInflater::State::done) return deliver(inflater.take());
  if (state == GzipInflater::State::too_large) {
    const size_t limit = stream_.session().context().limits.receive_message_bytes_max;
    abort({GrpcCode::resource_exhausted,
           "grpc: received message after decompression larger than max " + std::to_string(limit)});
  } else {
    abort({GrpcCode::internal,
           "grpc: failed to decompress the received message: gzip: invalid data"});
  }
  return false;
}

void GrpcExchange::on_inflated(GzipInflater::State state) {
  Http2Session& session = stream_.session();
  const size_t held = stream_.held();
  stop_inflating();
  std::unique_ptr<Inflation> over = std::move(inflation_);
  if (deliver_inflated(*over->inflater, state) && !over->behind.empty()) take(over->behind);
  if (over->ended) on_end();
  session.update_window(stream_, held);
  // Not within its own turn.
  session.context().loop.defer([over = std::move(over)] {});
}

void GrpcExchange::stop_inflating() {
  if (inflation_ != nullptr) stream_.session().context().inflations.remove(*inflation_);
}

}  // namespace lattice::proxy
