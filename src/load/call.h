// One gRPC call as its issuer sees it: unary, or a stream of messages both ways.
// Thread: the loader's only thread.
// Ownership: the issuer owns the call and may start it again after on_end; destroying it earlier
// cancels it. Its connection outlives it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lattice::load {

class Call {
 public:
  Call() = default;
  virtual ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // A whole message, without its gRPC prefix; the view dies with the callback.
  virtual void on_message(std::string_view message) = 0;
  // A field of the response's headers or trailers; for who wants to see them all.
  virtual void on_header(std::string_view, std::string_view) {}
  // The server ended the call. `grpc_status` is -1 when it sent none.
  virtual void on_end(int grpc_status, std::string_view grpc_message) = 0;

 private:
  friend class Connection;

  // Clears what the last use left and takes the first bytes to send.
  void reset(std::string body, bool keep_open);
  // Splits what arrived into messages. False when a message claims to be compressed.
  bool receive(std::string_view chunk);

  class Connection* open_on_ = nullptr;  // between start and on_end
  std::string outgoing_;
  size_t sent_ = 0;
  bool keep_open_ = false;  // more messages may follow outgoing_
  bool deferred_ = false;   // nghttp2 waits for more of outgoing_
  int32_t stream_id_ = -1;
  std::string incoming_;  // the start of a message whose rest has not arrived
  int grpc_status_ = -1;
  std::string grpc_message_;
};

}  // namespace lattice::load
