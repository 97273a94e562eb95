// lattice_canary: several tenants send random requests at once over the same connections, and every
// byte that one of them receives (messages, headers, trailers) is searched for what belongs to
// another. Prints what it saw as one JSON object; whether that is good is the caller's to say.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <map>
#include <memory>
#include <vector>

#include "canary_requests.h"
#include "load/client.h"
#include "proto/rpc.pb.h"

namespace lattice::canary {
namespace {

struct Options {
  uint16_t port = 0;
  uint64_t requests = 1'000'000;
  uint64_t seed = 1;
  std::vector<std::string> tenants;
  std::string mixed_into;  // all of them send as this tenant
  bool with_users = false;
  size_t connections = 2;
  size_t in_flight = 8;  // of each tenant on each connection
};

struct Count {
  uint64_t good = 0;
  uint64_t refused = 0;
};

// What was received, and whose it was.
class Searcher {
 public:
  void look(const std::string& tenant, std::string_view bytes, std::string_view where) {
    bytes_ += bytes.size();
    find(tenant, bytes, where, marker_start, /*own_is_fair=*/true);
    find(tenant, bytes, where, secret_start, /*own_is_fair=*/false);
  }
  void count(std::string_view path, bool good) {
    Count& count = counts_[std::string(path)];
    ++(good ? count.good : count.refused);
  }
  void print(uint64_t requests) const;

 private:
  void find(const std::string& tenant, std::string_view bytes, std::string_view where,
            std::string_view start, bool own_is_fair) {
    for (size_t at = bytes.find(start); at != bytes.npos; at = bytes.find(start, at + 1)) {
      const std::string_view owner = bytes.substr(at + start.size());
      const bool own = owner.starts_with(tenant + ">");
      if (own) ++own_[tenant];
      if (own && own_is_fair) continue;
      ++leaks_;
      if (examples_.size() < 10) {
        examples_.push_back(tenant + " in " + std::string(where) + ": " +
                            std::string(bytes.substr(at, start.size() + tenant.size() + 1)));
      }
    }
  }

  uint64_t bytes_ = 0;
  uint64_t leaks_ = 0;
  std::map<std::string, uint64_t> own_;
  std::map<std::string, Count> counts_;
  std::vector<std::string> examples_;
};

void Searcher::print(uint64_t requests) const {
  std::printf("{\"requests\":%llu,\"bytes\":%llu,\"leaks\":%llu,\"own\":{",
              static_cast<unsigned long long>(requests), static_cast<unsigned long long>(bytes_),
              static_cast<unsigned long long>(leaks_));
  const char* comma = "";
  for (const auto& [tenant, count] : own_) {
    std::printf("%s\"%s\":%llu", comma, tenant.c_str(), static_cast<unsigned long long>(count));
    comma = ",";
  }
  std::printf("},\"methods\":{");
  comma = "";
  for (const auto& [path, count] : counts_) {
    std::printf("%s\"%s\":[%llu,%llu]", comma, path.c_str(),
                static_cast<unsigned long long>(count.good),
                static_cast<unsigned long long>(count.refused));
    comma = ",";
  }
  std::printf("},\"examples\":[");
  comma = "";
  for (const std::string& example : examples_) {
    std::printf("%s\"%s\"", comma, example.c_str());
    comma = ",";
  }
  std::printf("]}\n");
}

struct Tenant {
  std::string name;
  Requests requests;
  load::Connection::Metadata metadata;
};

// One request after the other of one tenant on one connection; or a watch that goes on.
class Slot final : public load::Call {
 public:
  Slot(Tenant& tenant, load::Connection& connection, Searcher& searcher, uint64_t& left)
      : tenant_(tenant), connection_(connection), searcher_(searcher), left_(left) {}

  void start() {
    if (left_ == 0) return;
    --left_;
    busy_ = true;
    start(tenant_.requests.next(), /*keep_open=*/false);
  }
  void watch() { start(Requests::watch_all(), /*keep_open=*/true); }
  bool busy() const { return busy_; }

  void on_header(std::string_view name, std::string_view value) override {
    searcher_.look(tenant_.name, name, path_);
    searcher_.look(tenant_.name, value, path_);
  }
  void on_message(std::string_view message) override {
    searcher_.look(tenant_.name, message, path_);
    etcdserverpb::PutResponse answer;
    if (path_.ends_with("/Put") && answer.ParseFromArray(message.data(), message.size())) {
      tenant_.requests.saw_revision(answer.header().revision());
    }
    // A login's token is the newest.
    etcdserverpb::AuthenticateResponse login;
    if (path_.ends_with("/Authenticate") && login.ParseFromArray(message.data(), message.size()) &&
        !login.token().empty()) {
      tenant_.metadata.back().second = login.token();
    }
  }
  void on_end(int grpc_status, std::string_view) override {
    searcher_.count(path_, grpc_status == 0);
    busy_ = false;
    start();
  }

 private:
  void start(Request request, bool keep_open) {
    path_ = request.path;
    connection_.send_along(&tenant_.metadata);
    connection_.start(*this, request.path, std::move(request.body), keep_open);
  }

  Tenant& tenant_;
  load::Connection& connection_;
  Searcher& searcher_;
  uint64_t& left_;
  std::string_view path_;
  bool busy_ = false;
};

std::vector<std::unique_ptr<Tenant>> make_tenants(const Options& options, load::Client& client) {
  std::vector<std::unique_ptr<Tenant>> tenants;
  for (const std::string& name : options.tenants) {
    const std::string& as = options.mixed_into.empty() ? name : options.mixed_into;
    const uint64_t seed = options.seed * 1000 + tenants.size();
    tenants.push_back(std::make_unique<Tenant>(
        Tenant{name, Requests(name, seed, options.with_users), {{"lattice-tenant", as}}}));
    if (!options.with_users) continue;
    Tenant& tenant = *tenants.back();
    client.connection(0).send_along(&tenant.metadata);
    std::string answer;
    Request login = tenant.requests.authenticate();
    etcdserverpb::AuthenticateResponse token;
    if (!client.call(login.path, std::move(login.body), answer) || !token.ParseFromString(answer)) {
      std::fprintf(stderr, "%s cannot log in: %s\n", name.c_str(), answer.c_str());
      return {};
    }
    tenant.metadata.emplace_back("token", token.token());
  }
  return tenants;
}

bool run(const Options& options) {
  load::Client client;
  if (!client.open("127.0.0.1", options.port, options.connections)) return false;
  const std::vector<std::unique_ptr<Tenant>> tenants = make_tenants(options, client);
  if (tenants.empty()) return false;
  Searcher searcher;
  uint64_t left = options.requests;
  std::vector<std::unique_ptr<Slot>> slots;
  std::vector<std::unique_ptr<Slot>> watches;
  for (size_t i = 0; i < options.connections; ++i) {
    for (const auto& tenant : tenants) {
      watches.push_back(std::make_unique<Slot>(*tenant, client.connection(i), searcher, left));
      watches.back()->watch();
      for (size_t j = 0; j < options.in_flight; ++j) {
        slots.push_back(std::make_unique<Slot>(*tenant, client.connection(i), searcher, left));
      }
    }
  }
  for (const auto& slot : slots) slot->start();
  const auto done = [&] {
    for (const auto& slot : slots) {
      if (slot->busy()) return false;
    }
    return left == 0;
  };
  const bool alive = client.run_until(done);
  if (!alive) std::fprintf(stderr, "%s\n", client.error().c_str());
  searcher.print(options.requests - left);
  return alive;
}

}  // namespace
}  // namespace lattice::canary

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  lattice::canary::Options options;
  CLI::App app("Searches what tenants receive for what belongs to others.");
  app.add_option("--port", options.port)->required();
  app.add_option("--tenant", options.tenants)->required();
  app.add_option("--requests", options.requests);
  app.add_option("--seed", options.seed);
  app.add_option("--mixed-into", options.mixed_into, "all of them send as this tenant");
  app.add_flag("--users", options.with_users, "log in as root; change users and roles, too");
  CLI11_PARSE(app, argc, argv);
  return lattice::canary::run(options) ? 0 : 1;
}
