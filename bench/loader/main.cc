// lattice_loader: loads a server that speaks the etcd v3 API, checks what it answers, prints what
// was measured as one JSON object. Exit status 0: the run counts; 1: it does not; 2: no server.
#include <csignal>
#include <cstdio>

#include "command_line.h"
#include "handshake_load.h"
#include "lease_load.h"
#include "load/client.h"
#include "load/key_space.h"
#include "load/meter.h"
#include "load/options.h"
#include "load/report.h"
#include "load/revision_ledger.h"
#include "load/unary_load.h"
#include "load/watch_load.h"
#include "load/workload.h"
#include "watch_open_load.h"

namespace lattice::load {
namespace {

constexpr int exit_invalid = 1;
constexpr int exit_no_server = 2;

// For whoever started the loader: the moments to take the server's CPU time at.
void announce(std::string_view what) {
  std::printf("%.*s\n", static_cast<int>(what.size()), what.data());
  std::fflush(stdout);
}

int print(const Report& report, const Meter& meter) {
  std::printf("%s\n", to_json(report, meter).c_str());
  std::fflush(stdout);
  return is_valid(meter) ? 0 : exit_invalid;
}

bool run_unary(Client& client, const KeySpace& keys, Meter& meter, RevisionLedger& ledger,
               const Options& options, Report& report) {
  const std::unique_ptr<Workload> workload = make_workload(options, keys, ledger);
  const std::string unprepared = workload->prepare(client);
  if (!unprepared.empty()) {
    meter.fail(unprepared);
    return client.error().empty();
  }
  UnaryLoad load(client, *workload, meter, options);
  if (!load.run()) return false;
  const std::string wrong = workload->verify(client);
  if (!wrong.empty()) meter.fail(wrong);
  report.unit = "request";
  if (options.mode == Mode::fill) report.unit = "key";
  if (options.mode == Mode::list) report.unit = "list";
  const auto keys_per_request = static_cast<double>(workload->keys_per_request());
  if (options.mode == Mode::fill) report.operations_scale = keys_per_request;
  report.extra.emplace_back("keys_per_request", keys_per_request);
  return true;
}

bool run_watch(Client& client, const KeySpace& keys, Meter& meter, RevisionLedger& ledger,
               const Options& options, Report& report) {
  WatchLoad load(client, keys, meter, ledger, options);
  if (!load.run()) return false;
  report.unit = "event";
  report.extra.emplace_back("puts_late", static_cast<double>(load.puts_late()));
  return true;
}

bool run_mode(Client& client, const KeySpace& keys, Meter& meter, RevisionLedger& ledger,
              const Options& options, Report& report) {
  switch (options.mode) {
    case Mode::watch_hot:
    case Mode::watch_distinct:
      return run_watch(client, keys, meter, ledger, options, report);
    case Mode::watch_open:
      report.unit = "watch";
      return WatchOpenLoad(client, keys, meter, options).run();
    case Mode::keep_alive:
      report.unit = "keep-alive";
      return LeaseLoad(client, meter, options).run();
    default:
      return run_unary(client, keys, meter, ledger, options, report);
  }
}

int no_server(const Client& client) {
  std::fprintf(stderr, "lattice_loader: %s\n", client.error().c_str());
  return exit_no_server;
}

bool connect(Client& client, const Options& options, const std::vector<uint16_t>& ports) {
  for (size_t i = 0; i < options.connections; ++i) {
    if (!client.open(options.host, ports[i % ports.size()], 1)) return false;
    client.connection(client.connection_count() - 1).send_along(&options.metadata);
  }
  return true;
}

int run_handshakes(const Options& options, Meter& meter, Report& report) {
  std::string why;
  const std::unique_ptr<TlsClient> tls = TlsClient::make(options.tls, why);
  if (tls == nullptr) {
    std::fprintf(stderr, "lattice_loader: %s\n", why.c_str());
    return exit_no_server;
  }
  report.unit = "handshake";
  HandshakeLoad(*tls, meter, options).run();
  return print(report, meter);
}

int run(const Options& options) {
  const KeySpace keys(options.prefix, options.value_size);
  Client client;
  Meter meter(announce);
  RevisionLedger ledger;
  Report report;
  report.mode = mode_name(options.mode);
  int64_t revision = 0;
  if (options.mode == Mode::handshake) return run_handshakes(options, meter, report);
  if (!options.tls.ca.empty()) {
    const std::string why = client.use_tls(options.tls);
    if (!why.empty()) {
      std::fprintf(stderr, "lattice_loader: %s\n", why.c_str());
      return exit_no_server;
    }
  }
  if (!connect(client, options, options.ports)) return no_server(client);
  if (!options.put_ports.empty() && !connect(client, options, options.put_ports)) {
    return no_server(client);
  }
  if (!read_revision(client, options.prefix, revision)) return no_server(client);
  ledger.start(revision);
  if (!run_mode(client, keys, meter, ledger, options, report)) return no_server(client);
  if (!read_revision(client, options.prefix, revision)) return no_server(client);
  const std::string wrong = ledger.verdict(revision);
  if (!wrong.empty()) meter.fail(wrong);
  report.extra.emplace_back("writes", static_cast<double>(ledger.writes_sent()));
  return print(report, meter);
}

}  // namespace
}  // namespace lattice::load

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  return lattice::load::run(lattice::load::parse_options(argc, argv));
}
