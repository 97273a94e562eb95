#include "command_line.h"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <map>

#include "load/key_space.h"

namespace lattice::load {
namespace {

const std::map<std::string, Mode>& modes() {
  static const std::map<std::string, Mode> modes{
      {"put", Mode::put},
      {"update", Mode::update},
      {"get", Mode::get},
      {"list", Mode::list},
      {"mixed", Mode::mixed},
      {"fill", Mode::fill},
      {"watch-hot", Mode::watch_hot},
      {"watch-distinct", Mode::watch_distinct},
      {"watch-new", Mode::watch_open},
      {"keepalive", Mode::keep_alive},
      {"handshake", Mode::handshake},
  };
  return modes;
}

void declare(CLI::App& app, Options& o) {
  app.add_option("mode", o.mode, "what to do")
      ->required()
      ->transform(CLI::CheckedTransformer(modes()));
  app.add_option("--host", o.host, "IPv4 address");
  app.add_option("--port", o.ports, "of each server; connections take turns")->required();
  app.add_option("--put-port", o.put_ports,
                 "watch modes: put through connections of their own to these servers");
  app.add_option("--tenant", o.tenant, "named in every request's metadata");
  app.add_option("--connections", o.connections)->check(CLI::PositiveNumber);
  app.add_option("--in-flight", o.in_flight, "requests, over all connections")
      ->check(CLI::PositiveNumber);
  app.add_option("--rate", o.rate, "unary modes: requests per second; 0: full speed");
  app.add_option("--tls-ca", o.tls.ca, "speak TLS to servers of this authority")
      ->check(CLI::ExistingFile);
  app.add_option("--tls-version", o.tls.version)->check(CLI::IsMember({"1.2", "1.3"}));
  app.add_option("--tls-cipher", o.tls.cipher, "OpenSSL's name of the only one that is offered");
  app.add_option("--metadata", o.metadata, "name and value of a header of every call");
  app.add_option("--prefix", o.prefix);
  app.add_option("--keys", o.keys, "keys are chosen uniformly among so many")
      ->check(CLI::PositiveNumber);
  app.add_option("--value-size", o.value_size)->check(CLI::Range(value_size_min, size_t{1} << 24));
  app.add_option("--warmup", o.warmup_seconds);
  app.add_option("--duration", o.duration_seconds, "seconds, after the warm-up");
  app.add_option("--total", o.total, "stop after so many requests instead");
  app.add_option("--read-percent", o.read_percent)->check(CLI::Range(0, 100));
  app.add_option("--txn-puts", o.txn_puts, "fill, watch-distinct: puts in one transaction")
      ->check(CLI::Range(1, 128));
  app.add_option("--watchers", o.watchers)->check(CLI::PositiveNumber);
  app.add_option("--streams", o.streams)->check(CLI::PositiveNumber);
  app.add_option("--put-rate", o.put_rate, "watch modes: puts per second; 0: full speed");
  app.add_flag("--pace-by-events,!--pace-by-puts", o.pace_by_events,
               "watch modes: what makes room for the next put");
  app.add_option("--leases", o.leases)->check(CLI::PositiveNumber);
  app.add_option("--sample-every", o.sample_every)->check(CLI::PositiveNumber);
  app.add_option("--seed", o.seed);
}

}  // namespace

Options parse_options(int argc, char** argv) {
  Options options;
  CLI::App app("Loads a server that speaks the etcd v3 API and prints what it measured as JSON.");
  declare(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error));
  }
  if (options.prefix.empty()) options.prefix = "bench/";
  if (!options.tenant.empty()) options.metadata.emplace_back("lattice-tenant", options.tenant);
  return options;
}

const char* mode_name(Mode mode) {
  for (const auto& [name, value] : modes()) {
    if (value == mode) return name.c_str();
  }
  return "";
}

}  // namespace lattice::load
