// lattice_loader: loads a server that speaks the etcd v3 API, checks what it answers, prints what
// was measured as one JSON object. Exit status 0: the run counts; 1: it does not; 2: no server.
#include <csignal>
#include <cstdio>

#include "client.h"
#include "key_space.h"
#include "lease_load.h"
#include "meter.h"
#include "options.h"
#include "report.h"
#include "revision_ledger.h"
#include "unary_load.h"
#include "watch_load.h"
#include "workload.h"

namespace lattice::bench {
namespace {

constexpr int kExitInvalid = 1;
constexpr int kExitNoServer = 2;

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
  if (options.mode == Mode::kFill) report.unit = "key";
  if (options.mode == Mode::kList) report.unit = "list";
  const auto keys_per_request = static_cast<double>(workload->keys_per_request());
  if (options.mode == Mode::kFill) report.operations_scale = keys_per_request;
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
    case Mode::kWatchHot:
    case Mode::kWatchDistinct:
      return run_watch(client, keys, meter, ledger, options, report);
    case Mode::kKeepAlive:
      report.unit = "keep-alive";
      return LeaseLoad(client, meter, options).run();
    default:
      return run_unary(client, keys, meter, ledger, options, report);
  }
}

int no_server(const Client& client) {
  std::fprintf(stderr, "lattice_loader: %s\n", client.error().c_str());
  return kExitNoServer;
}

bool connect(Client& client, const Options& options, const std::vector<uint16_t>& ports) {
  for (size_t i = 0; i < options.connections; ++i) {
    if (!client.open(options.host, ports[i % ports.size()], 1)) return false;
  }
  return true;
}

int run(const Options& options) {
  const KeySpace keys(options.prefix, options.value_size);
  Client client;
  Meter meter;
  RevisionLedger ledger;
  Report report;
  report.mode = mode_name(options.mode);
  int64_t revision = 0;
  client.name_tenant(options.tenant);
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
  return print_report(report, meter) ? 0 : kExitInvalid;
}

}  // namespace
}  // namespace lattice::bench

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  return lattice::bench::run(lattice::bench::parse_options(argc, argv));
}
