// A server for the transport's tests: a loop on its own thread, a listener, and a few services.
//
//   /test.Test/Echo      answers each message with itself; ends with the client
//   /test.Test/Fail      ends with the code in metadata "code" and the text in "text"
//   /test.Test/Hang      never answers
//   /test.Test/Early     ends with FAILED_PRECONDITION before reading anything
//   /test.Test/Flood     sends `count` (the first message) messages of 64 KiB, politely
//   /test.Test/Metadata  answers with its metadata, one "name=value" per line
//
// With TestServer::fair the loop is shared between the tenants that calls name in metadata
// "tenant".
#pragma once

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "loop/loop.h"
#include "proxy/listener.h"

namespace lattice::proxy {

struct Counters final : Observer {
  CallNote on_call_started(std::string_view) override {
    ++started;
    return this;
  }
  void on_message_received(CallNote note) override { messages_in += note == this ? 1 : 1000; }
  void on_message_sent(CallNote note) override { messages_out += note == this ? 1 : 1000; }
  void on_call_finished(CallNote, std::string_view, GrpcCode code, Duration) override {
    ++finished;
    last_code = static_cast<int>(code);
  }
  void on_bytes(size_t in, size_t out) override {
    received += in;
    sent += out;
  }
  void on_goaway(std::string_view) override { ++goaways; }
  void on_transport_failure(std::string_view, const TransportFailure&, bool) override {
    ++failures;
  }

  std::atomic<int> started = 0, finished = 0, last_code = -1, goaways = 0, failures = 0;
  std::atomic<int> cancelled = 0, destroyed = 0, half_closed = 0;
  std::atomic<int> large_bodies = 0, messages_in = 0, messages_out = 0;
  std::atomic<size_t> received = 0, sent = 0, pending_max = 0, reported_sent = 0;
};

class TestServer {
 public:
  struct Fair {};
  static constexpr Fair fair{};
  explicit TestServer(Fair) : TestServer({}, Sharing{&shares_}) {}
  explicit TestServer(const Limits& limits = {}, Sharing sharing = {}) {
    register_services();
    listener_ = std::move(*Listener::listen(loop_, "127.0.0.1:0", router_, limits, &counters,
                                            /*reuse_port=*/false, nullptr, std::move(sharing)));
    address = listener_->address();
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~TestServer() {
    loop_.stop();
    thread_.join();
    listener_.reset();
  }
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  // Runs `task` on the loop's thread and waits for it.
  void on_loop(const std::function<void()>& task) {
    std::atomic<bool> done = false;
    loop_.post([&] {
      task();
      done = true;
    });
    while (!done) std::this_thread::yield();
  }
  size_t connections() {
    size_t count = 0;
    on_loop([&] { count = listener_->connection_count(); });
    return count;
  }
  // Whether connections queue although there is but one tenant.
  bool shared() {
    bool shared = false;
    on_loop([&] { shared = shares_.shared(); });
    return shared;
  }
  void drain(Duration deadline) {
    on_loop([&] { listener_->drain(deadline, [this] { drained = true; }); });
  }
  // Whether `condition` comes true before patience ends.
  static bool eventually(const std::function<bool()>& condition) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > give_up) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }

  Counters counters;
  std::string address;
  std::atomic<bool> drained = false;

 private:
  struct CountedCall : Call {
    CountedCall(ServerStream& to, Counters& in) : stream(to), counters(in) {}
    ~CountedCall() override { ++counters.destroyed; }
    void on_message(Bytes) override {}
    void on_half_close() override { ++counters.half_closed; }
    void on_cancel() override {
      ++counters.cancelled;
      stream.reply(ByteChain(Bytes::literal("too late")));  // must be without effect
    }
    ServerStream& stream;
    Counters& counters;
  };
  struct Echo final : CountedCall {
    using CountedCall::CountedCall;
    void on_message(Bytes message) override { stream.send(ByteChain(std::move(message))); }
    void on_half_close() override { stream.finish({}); }
  };
  struct Fail final : CountedCall {
    using CountedCall::CountedCall;
    void on_message(Bytes) override {
      const int code = std::stoi(std::string(stream.metadata("code")));
      stream.finish({static_cast<GrpcCode>(code), std::string(stream.metadata("text"))});
    }
  };
  struct Early final : CountedCall {
    Early(ServerStream& to, Counters& in) : CountedCall(to, in) {
      to.finish({GrpcCode::failed_precondition, "not now"});
    }
  };
  struct Flood final : CountedCall {
    using CountedCall::CountedCall;
    void on_message(Bytes message) override {
      left = std::stoi(std::string(message.view()));
      pour();
    }
    void on_sent(size_t bytes) override {
      counters.reported_sent += bytes;
      pour();
    }
    void pour() {
      while (left > 0 && stream.pending_bytes() < 256 << 10) {
        stream.send(
            ByteChain(Bytes::copy(std::string(64 << 10, static_cast<char>('a' + left % 26)))));
        --left;
      }
      counters.pending_max = std::max<size_t>(counters.pending_max, stream.pending_bytes());
      if (left == 0 && !done) {
        done = true;
        stream.finish({});
      }
    }
    int left = 0;
    bool done = false;
  };
  struct ShowMetadata final : CountedCall {
    using CountedCall::CountedCall;
    void on_message(Bytes) override {
      std::string text;
      for (const auto& [name, value] : stream.metadata()) text += name + "=" + value + "\n";
      stream.reply(ByteChain(Bytes::copy(text)));
    }
  };

  template <class Service>
  void add(const std::string& method) {
    router_.add_grpc("/test.Test/" + method, [this](ServerStream& stream) -> std::unique_ptr<Call> {
      if (const std::string tenant(stream.metadata("tenant")); !tenant.empty()) {
        SharedFlow& flow = flows_[tenant];
        if (flow == nullptr) flow = std::make_shared<FairFlow>();
        if (!stream.belong_to(flow)) std::abort();
      }
      return std::make_unique<Service>(stream, counters);
    });
  }
  void register_services() {
    add<Echo>("Echo");
    add<Fail>("Fail");
    add<CountedCall>("Hang");
    add<Early>("Early");
    add<Flood>("Flood");
    add<ShowMetadata>("Metadata");
    router_.add_http("/version", [](HttpRequest request, HttpRespond respond) {
      HttpResponse response;
      response.headers = {{"content-type", "text/plain"}};
      response.body = request.method + " " + request.path + "?" + request.query;
      respond(std::move(response));
    });
    router_.add_http("/upload", [](HttpRequest request, HttpRespond respond) {
      HttpResponse response;
      response.body = std::to_string(request.body.size());
      respond(std::move(response));
    });
    router_.add_http("/large", [this](HttpRequest, HttpRespond respond) {
      ++counters.large_bodies;
      HttpResponse response;
      response.body.assign(1 << 20, 'l');
      respond(std::move(response));
    });
    router_.add_http("/tree/", [](HttpRequest request, HttpRespond respond) {
      HttpResponse response;
      response.body = "below " + request.path;
      respond(std::move(response));
    });
    router_.add_http("/later", [this](HttpRequest, HttpRespond respond) {
      auto held = std::make_shared<HttpRespond>(std::move(respond));
      loop_.post([held] {
        HttpResponse response;
        response.body = "later";
        (*held)(std::move(response));
      });
    });
  }

  loop::Loop loop_;
  FairShares shares_{{.now = [this] { return loop_.fresh_now(); },
                      .thread_time = &loop::Loop::thread_time,
                      .call_in_this_turn = [this] { loop_.defer([this] { shares_.run_turn(); }); },
                      .call_in_next_turn = [this] { loop_.post([this] { shares_.run_turn(); }); }}};
  std::map<std::string, SharedFlow> flows_;
  Router router_;
  std::unique_ptr<Listener> listener_;
  std::thread thread_;
};

}  // namespace lattice::proxy
