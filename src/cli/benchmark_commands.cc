#include "cli/benchmark_commands.h"

#include <ostream>

#include "load/key_space.h"

namespace lattice::cli {
namespace {

constexpr size_t value_bytes_max = 1 << 20;
constexpr uint64_t keys_default = 10'000;

}  // namespace

BenchmarkCommands::BenchmarkCommands(CLI::App& app, const Surroundings& surroundings, int& status)
    : around_(surroundings), status_(status) {
  request_.endpoints = {"127.0.0.1:2379"};
  request_.options.prefix = "lattice-benchmark/";
  request_.options.keys = keys_default;
  request_.options.in_flight = 64;
  request_.options.connections = 8;
  request_.options.watchers = 100;
  request_.options.tls.version.clear();
  CLI::App* benchmark =
      app.add_subcommand("benchmark", "Load a running server and tell how fast it answered");
  benchmark->require_subcommand(1);
  add(*benchmark, "put", "Put keys", Action::put);
  add(*benchmark, "get", "Read single keys, linearizably", Action::get);
  CLI::App* mixed = add(*benchmark, "mixed", "Read and put keys", Action::mixed);
  mixed->add_option("--read-percent", request_.options.read_percent, "Reads among the requests")
      ->check(CLI::Range(0, 100))
      ->capture_default_str();
  CLI::App* watch =
      add(*benchmark, "watch", "Put keys that are watched; time until the event", Action::watch);
  watch->add_option("--watchers", request_.options.watchers, "Watches, each of a key of its own")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  watch->add_option("--streams", request_.options.streams, "gRPC streams that carry the watches")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
}

void BenchmarkCommands::add_server(CLI::App* app) {
  app->add_option("--endpoints", request_.endpoints, "Running servers; connections take turns")
      ->envname("ETCDCTL_ENDPOINTS")
      ->delimiter(',')
      ->type_name("HOST:PORT,...")
      ->capture_default_str();
  app->add_option("--user", request_.user, "Log in as this user")
      ->envname("ETCDCTL_USER")
      ->type_name("NAME:PASSWORD");
  app->add_option("--token", request_.token, "Or show this API token")->type_name("TOKEN");
  app->add_option("--tenant", request_.options.tenant, "Whose keys, where clients may say so")
      ->type_name("NAME");
  app->add_option("--cacert", request_.options.tls.ca,
                  "Authority of the server's certificate: use TLS")
      ->envname("ETCDCTL_CACERT")
      ->type_name("FILE");
  CLI::Option* cert = app->add_option("--cert", request_.options.tls.chain, "Certificate to show")
                          ->envname("ETCDCTL_CERT")
                          ->type_name("FILE");
  CLI::Option* key = app->add_option("--key", request_.options.tls.key, "Its private key")
                         ->envname("ETCDCTL_KEY")
                         ->type_name("FILE");
  cert->needs(key);
}

void BenchmarkCommands::add_load(CLI::App* app) {
  load::Options& options = request_.options;
  app->add_option("--duration", options.duration_seconds, "Seconds to measure for")
      ->check(CLI::Range(0.1, 86'400.0))
      ->capture_default_str();
  app->add_option("--warmup", options.warmup_seconds, "Seconds before that, without --total")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  app->add_option("--total", options.total, "Requests to send, instead of a time");
  app->add_option("--clients", options.in_flight, "Requests under way at once")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  app->add_option("--conns", options.connections, "Connections, over all endpoints")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  app->add_option("--keys", options.keys, "Keys are chosen uniformly among so many")
      ->check(CLI::Range(1, 100'000'000))
      ->capture_default_str();
  app->add_option("--key-size", request_.key_size,
                  "Bytes of a key, at least what prefix and number need")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  app->add_option("--val-size", options.value_size, "Bytes of a value")
      ->check(CLI::Range(load::value_size_min, value_bytes_max))
      ->capture_default_str();
  app->add_option("--prefix", options.prefix, "Of the keys, which are deleted in the end")
      ->check([](const std::string& prefix) {
        return std::string(prefix.empty() ? "must not be empty: all below it is deleted" : "");
      })
      ->capture_default_str();
  app->add_flag("--keep", request_.keep, "Leave the keys where they are");
  app->add_option("--output", output_, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
}

CLI::App* BenchmarkCommands::add(CLI::App& parent, const char* name, const char* help,
                                 Action action) {
  CLI::App* app = parent.add_subcommand(name, help);
  add_server(app);
  add_load(app);
  if (action != Action::watch) {
    app->add_option("--rate", request_.options.rate, "Requests per second; 0: full speed")
        ->check(CLI::Range(0.0, 1e7))
        ->capture_default_str();
  }
  app->callback([this, action] {
    request_.action = action;
    request_.json = output_ == "json";
    status_ = around_.benchmark(request_, around_.out, around_.err);
  });
  return app;
}

}  // namespace lattice::cli
