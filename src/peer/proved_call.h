// A stream that another node opens and begins with the handshake, as the server sees it: nothing it
// says means anything before it has proved that it knows the secret of the cluster that it names.
//
// Thread: the loop's. Ownership: the transport's (proxy/call.h). What it is given outlives its end,
//   which the transport tells before it destroys it.
// Limits: before the proof, a kilobyte for a few seconds, and so many at a time.
#pragma once

#include <memory>
#include <string>

#include "peer/handshake.h"
#include "peer/surroundings.h"
#include "proxy/call.h"

namespace lattice::peer {

class ProvedCall : public proxy::Call {
 public:
  ProvedCall(PortSurroundings& around, TroubleLog& trouble, proxy::ServerStream& stream);

  void on_message(Bytes message) final;
  // The node has nothing more to ask, nor does it wait for answers.
  void on_half_close() final;
  void on_cancel() final;

 protected:
  // Of the cluster whose node the caller says it is; null: such nodes are turned away.
  virtual const Keyring* keyring_of(std::string_view cluster) = 0;
  virtual void on_proved(FrameKeys keys) = 0;
  virtual void on_proved_message(std::string_view message) = 0;
  // The stream has ended: the last call.
  virtual void on_end() = 0;

  // Ends the stream and tells why.
  void refuse(const std::string& why);
  void finish(proxy::GrpcStatus status);
  bool closed() const { return closed_; }
  proxy::ServerStream& stream() { return stream_; }

 private:
  void on_hello(std::string_view message);
  void on_proof(std::string_view message);
  void end_handshake();
  void close();

  PortSurroundings& around_;
  TroubleLog& trouble_;
  proxy::ServerStream& stream_;
  std::unique_ptr<ServerHandshake> handshake_;  // not null between hello and proof
  std::unique_ptr<loop::TimerHandle> timer_;    // of the handshake
  bool proving_ = false;                        // the handshake is under way
  bool closed_ = false;
};

}  // namespace lattice::peer
