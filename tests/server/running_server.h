// A whole server in this process, on a free port, and typed calls to it over a real socket.
// Thread: the test's; the server runs on threads of its own.
#pragma once

#include <doctest/doctest.h>
#include <pthread.h>

#include <condition_variable>
#include <csignal>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "config/load.h"
#include "proto/rpc.pb.h"
#include "proxy/test_client.h"
#include "server/server.h"

namespace lattice::server::testing {

// Defaults and free ports; `more` sets keys on top ("server.threads", "2").
inline config::Config test_config(const std::vector<std::pair<std::string, std::string>>& more = {},
                                  const std::string& store = "memory://") {
  config::Request request;
  std::vector<std::pair<std::string, std::string>> all = {{"listeners.grpc.bind", "127.0.0.1:0"},
                                                          {"telemetry.metrics_bind", "127.0.0.1:0"},
                                                          {"backend.url", store}};
  all.insert(all.end(), more.begin(), more.end());
  for (const auto& [key, value] : all) request.command_line.push_back({key, key, value});
  config::Loaded loaded = config::load(request);
  REQUIRE(loaded.ok());
  return loaded.config;
}

class RunningServer {
 public:
  explicit RunningServer(config::Config config = test_config()) : config_(std::move(config)) {
    telemetry::Logger::Options options;
    options.level = *telemetry::parse_level(config_.telemetry.log_level);
    log_ =
        telemetry::Logger::to_function(options, [this](std::string_view line) { on_line(line); });
    thread_ = std::thread([this] {
      int status = run(config_, *log_);
      std::lock_guard lock(mutex_);
      status_ = status;
      ended_ = true;
      changed_.notify_all();
    });
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(20),
                      [this] { return !address_.empty() || ended_; });
  }
  ~RunningServer() { stop(); }

  // Empty if it did not come up.
  std::string address() const { return address_; }
  std::string metrics_address() const { return metrics_address_; }
  // Sends SIGTERM unless that has happened (a second one ends the process at once), waits, answers
  // the exit status.
  int stop() {
    if (!told_to_stop_) signal(SIGTERM);
    if (thread_.joinable()) thread_.join();
    log_.reset();  // writes what is still queued, so that logged() sees every line
    return status_;
  }
  void signal(int number) {
    std::lock_guard lock(mutex_);
    told_to_stop_ |= number == SIGTERM;
    if (!ended_) pthread_kill(thread_.native_handle(), number);
  }
  bool logged(std::string_view text) {
    std::lock_guard lock(mutex_);
    return lines_.find(text) != std::string::npos;
  }

 private:
  void on_line(std::string_view line) {
    std::lock_guard lock(mutex_);
    lines_.append(line).append("\n");
    size_t grpc = line.find("grpc=");
    size_t metrics = line.find("metrics=");
    if (line.find("listening") == std::string_view::npos || grpc == std::string_view::npos) return;
    metrics_address_ = line.substr(metrics + 8);
    address_ = line.substr(grpc + 5, line.find(' ', grpc) - grpc - 5);
    changed_.notify_all();
  }

  const config::Config config_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string lines_;
  std::string address_;
  std::string metrics_address_;
  int status_ = -1;
  bool ended_ = false;
  bool told_to_stop_ = false;
  std::shared_ptr<telemetry::Logger> log_;
  std::thread thread_;
};

using proxy::TestClient;

// A unary call that must succeed.
template <class Response, class Request>
Response ask(TestClient& client, const std::string& path, const Request& request) {
  TestClient::Response answer = client.call(path, request.SerializeAsString());
  CAPTURE(path);
  CAPTURE(answer.grpc_message());
  REQUIRE(answer.grpc_status() == 0);
  REQUIRE(answer.messages().size() == 1);
  Response response;
  REQUIRE(response.ParseFromString(answer.messages().front()));
  return response;
}

// A unary call that must fail; its status as "CODE text".
template <class Request>
std::string refusal(TestClient& client, const std::string& path, const Request& request,
                    const TestClient::Headers& metadata = {}) {
  TestClient::Response answer = client.call(path, request.SerializeAsString(), metadata);
  return std::to_string(answer.grpc_status()) + " " + answer.grpc_message();
}

inline etcdserverpb::PutResponse put(TestClient& client, const std::string& key,
                                     const std::string& value, int64_t lease = 0) {
  etcdserverpb::PutRequest request;
  request.set_key(key);
  request.set_value(value);
  request.set_lease(lease);
  return ask<etcdserverpb::PutResponse>(client, "/etcdserverpb.KV/Put", request);
}

inline etcdserverpb::RangeResponse get(TestClient& client, const std::string& key,
                                       const std::string& end = "") {
  etcdserverpb::RangeRequest request;
  request.set_key(key);
  request.set_range_end(end);
  return ask<etcdserverpb::RangeResponse>(client, "/etcdserverpb.KV/Range", request);
}

inline etcdserverpb::DeleteRangeResponse erase(TestClient& client, const std::string& key) {
  etcdserverpb::DeleteRangeRequest request;
  request.set_key(key);
  return ask<etcdserverpb::DeleteRangeResponse>(client, "/etcdserverpb.KV/DeleteRange", request);
}

// A stream of requests and responses.
template <class Response>
class Stream {
 public:
  Stream(TestClient& client, const std::string& path, const TestClient::Headers& metadata = {})
      : client_(client), id_(client.start(path, metadata)) {}
  template <class Request>
  void send(const Request& request) {
    client_.send(id_, request.SerializeAsString());
  }
  Response next() {
    REQUIRE(client_.wait_messages(id_, taken_ + 1));
    Response response;
    REQUIRE(response.ParseFromString(client_.response(id_).messages()[taken_++]));
    return response;
  }
  // Whether nothing more comes for a while.
  bool silent(std::chrono::milliseconds time = std::chrono::milliseconds(150)) {
    client_.pump(time);
    return client_.response(id_).messages().size() == taken_;
  }
  std::string status() {
    REQUIRE(client_.wait_closed(id_));
    const TestClient::Response& response = client_.response(id_);
    return std::to_string(response.grpc_status()) + " " + response.grpc_message();
  }
  void half_close() { client_.half_close(id_); }
  void cancel() { client_.cancel(id_); }

 private:
  TestClient& client_;
  int32_t id_;
  size_t taken_ = 0;
};

}  // namespace lattice::server::testing
