// A whole server side of a connection in memory, fed with any bytes in any pieces. The first byte
// chooses the protocol; then each piece is preceded by its length.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "loop/loop.h"
#include "proxy/context.h"
#include "proxy/http1_session.h"
#include "proxy/http2_session.h"

namespace {

using namespace lattice;
using namespace lattice::proxy;

constexpr std::string_view opening_text =
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    "\0\0\0\4\0\0\0\0\0";

void require(bool condition) {
  if (!condition) std::abort();
}

struct Echo final : Call {
  explicit Echo(ServerStream& to) : stream(to) {}
  void on_message(Bytes message) override {
    require(!over);
    stream.send(ByteChain(std::move(message)));
  }
  void on_half_close() override {
    require(!over);
    over = true;
    stream.finish({GrpcCode::aborted, std::string(stream.metadata("text"))});
  }
  void on_sent(size_t) override { require(!over); }
  void on_cancel() override {
    require(!over);
    over = true;
    stream.reply({});
  }
  ServerStream& stream;
  bool over = false;
};

struct Host final : SessionHost {
  void request_flush() override {}
  std::string_view peer() const override { return "fuzzer"; }
  std::shared_ptr<const PeerCertificate> peer_certificate() const override { return nullptr; }
  std::string_view server_name() const override { return {}; }
  bool belong_to(const SharedFlow&) override { return true; }
  void take_turns(FairWaiter&) override { require(false); }
  void leave_turns(FairWaiter&) override { require(false); }
};

Router make_router() {
  Router router;
  router.add_grpc("/t.T/E", [](ServerStream& stream) -> std::unique_ptr<Call> {
    return std::make_unique<Echo>(stream);
  });
  router.add_http("/h", [](HttpRequest request, HttpRespond respond) {
    HttpResponse response;
    response.body = request.body;
    respond(std::move(response));
  });
  return router;
}

Limits make_limits() {
  Limits limits;
  limits.receive_message_bytes_max = 10'000;
  limits.concurrent_streams_max = 10;
  limits.header_list_bytes_max = 1000;
  limits.send_buffer_bytes_max = 10'000;
  return limits;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static loop::Loop loop;  // costs descriptors, so made once
  static const Router router = make_router();
  if (size == 0) return 0;
  Context context(loop, router, make_limits(), nullptr, nullptr,
                  std::make_shared<ConnectionCounts>());
  Host host;
  std::unique_ptr<Session> session;
  if (data[0] % 2 == 0) {
    session = std::make_unique<Http2Session>(host, context);
    session->receive(std::string_view(opening_text.data(), 33));
  } else {
    session = std::make_unique<Http1Session>(host, context);
  }
  OutputBuffer out(context.chunks);
  std::string_view input(reinterpret_cast<const char*>(data + 1), size - 1);
  while (!input.empty() && !session->finished()) {
    const size_t piece = std::min<size_t>(static_cast<uint8_t>(input[0]) + 1, input.size());
    session->receive(input.substr(1, piece - 1));
    input.remove_prefix(piece);
    session->produce(out);
    require(out.size() < 1 << 20);
    out.clear();
    session->tick(loop.now());
    loop.turn();
    require(session->open_streams() <= 10);
  }
  session->begin_drain();
  session->produce(out);
  session->abandon();
  require(session->open_streams() == 0 || data[0] % 2 == 1);
  return 0;
}
