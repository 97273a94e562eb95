#include "load/call.h"

#include "load/connection.h"
#include "load/wire.h"

namespace lattice::load {
namespace {

size_t message_length(std::string_view frame) {
  size_t length = 0;
  for (size_t i = 1; i < frame_prefix; ++i) length = length << 8 | static_cast<uint8_t>(frame[i]);
  return length;
}

}  // namespace

Call::~Call() {
  if (open_on_ != nullptr) open_on_->cancel(*this);
}

void Call::reset(std::string body, bool keep_open) {
  outgoing_ = std::move(body);
  sent_ = 0;
  keep_open_ = keep_open;
  deferred_ = false;
  stream_id_ = -1;
  incoming_.clear();
  grpc_status_ = -1;
  grpc_message_.clear();
}

bool Call::receive(std::string_view chunk) {
  // Almost every message arrives whole and is handed on without a copy.
  const bool held = !incoming_.empty();
  std::string_view rest = held ? std::string_view(incoming_.append(chunk)) : chunk;
  while (rest.size() >= frame_prefix) {
    if (rest[0] != 0) return false;
    const size_t whole = frame_prefix + message_length(rest);
    if (rest.size() < whole) {
      if (held) incoming_.reserve(whole + (rest.data() - incoming_.data()));
      break;
    }
    on_message(rest.substr(frame_prefix, whole - frame_prefix));
    rest.remove_prefix(whole);
  }
  if (held) {
    incoming_.erase(0, incoming_.size() - rest.size());
  } else {
    incoming_.assign(rest);
  }
  return true;
}

}  // namespace lattice::load
