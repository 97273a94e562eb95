#include "load/benchmark.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <optional>
#include <ostream>
#include <utility>

#include "load/client.h"
#include "load/etcd_messages.h"
#include "load/key_space.h"
#include "load/meter.h"
#include "load/report.h"
#include "load/revision_ledger.h"
#include "load/unary_load.h"
#include "load/watch_load.h"
#include "load/wire.h"
#include "load/workload.h"

namespace lattice::load {
namespace {

constexpr int exit_failed = 1;
constexpr int exit_bad_request = 2;
constexpr uint64_t progress_interval_ns = 250'000'000;
constexpr uint64_t fill_txn_puts = 100;

struct Endpoint {
  std::string host;
  uint16_t port = 0;
  bool tls = false;
};

std::optional<Endpoint> parse_endpoint(std::string_view text) {
  Endpoint endpoint;
  endpoint.tls = text.starts_with("https://");
  if (const size_t scheme = text.find("://"); scheme != text.npos) text.remove_prefix(scheme + 3);
  const size_t colon = text.rfind(':');
  if (colon == text.npos || colon == 0) return std::nullopt;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, endpoint.port);
  if (error != std::errc() || stop != end || endpoint.port == 0) return std::nullopt;
  text = text.substr(0, colon);
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  endpoint.host = text;
  return endpoint;
}

const char* name_of(BenchmarkRequest::Action action) {
  switch (action) {
    case BenchmarkRequest::Action::get:
      return "get";
    case BenchmarkRequest::Action::watch:
      return "watch";
    case BenchmarkRequest::Action::mixed:
      return "mixed";
    default:
      return "put";
  }
}

Mode mode_of(BenchmarkRequest::Action action) {
  switch (action) {
    case BenchmarkRequest::Action::get:
      return Mode::get;
    case BenchmarkRequest::Action::watch:
      return Mode::watch_distinct;
    case BenchmarkRequest::Action::mixed:
      return Mode::mixed;
    default:
      return Mode::put;
  }
}

// Of the terminal that progress is shown on.
size_t columns() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

class Benchmark {
 public:
  Benchmark(const BenchmarkRequest& request, std::ostream& err)
      : request_(request),
        options_(request.options),
        err_(err),
        tells_(isatty(STDERR_FILENO) == 1) {
    options_.mode = mode_of(request.action);
    if (options_.total != 0) options_.warmup_seconds = 0;
    if (!options_.tenant.empty()) options_.metadata.emplace_back("lattice-tenant", options_.tenant);
    if (!request.token.empty()) options_.metadata.emplace_back("token", request.token);
    const size_t size = options_.prefix.size() + key_number_digits;
    if (request.key_size > size) options_.prefix.append(request.key_size - size, '.');
  }

  // Each answers the exit status; what went wrong is told.
  int connect();
  int run();

  const Meter& meter() const { return meter_; }
  Report report() const {
    return {.mode = name_of(request_.action),
            .unit = request_.action == BenchmarkRequest::Action::watch ? "event" : "request",
            .operations_scale = 1,
            .extra = {}};
  }

 private:
  int fail(std::string_view what, int status = exit_failed) {
    end_progress();
    err_ << "error: " << what << "\n";
    return status;
  }
  bool log_in();
  bool load(Meter& meter, const Options& options, const char* what);
  bool watch(const KeySpace& keys);
  bool remove_keys(const KeySpace& keys);
  void show_progress(const Meter& meter, const char* what);
  void end_progress();

  const BenchmarkRequest& request_;
  Options options_;
  std::ostream& err_;
  const bool tells_;
  Client client_;
  Meter meter_;
  uint64_t shown_ns_ = 0;
};

int Benchmark::connect() {
  std::vector<Endpoint> endpoints;
  for (const std::string& text : request_.endpoints) {
    std::optional<Endpoint> endpoint = parse_endpoint(text);
    if (!endpoint) return fail("expected host:port, got \"" + text + "\"", exit_bad_request);
    if (endpoint->tls && options_.tls.ca.empty()) {
      return fail(text + " speaks TLS: --cacert names who vouches for it", exit_bad_request);
    }
    endpoints.push_back(*std::move(endpoint));
  }
  if (!options_.tls.ca.empty()) {
    const std::string why = client_.use_tls(options_.tls);
    if (!why.empty()) return fail("cannot use the TLS files: " + why);
  }
  for (size_t i = 0; i < options_.connections; ++i) {
    const Endpoint& endpoint = endpoints[i % endpoints.size()];
    if (!client_.open(endpoint.host, endpoint.port, 1)) return fail(client_.error());
  }
  if (!request_.user.empty() && !log_in()) return exit_failed;
  for (size_t i = 0; i < client_.connection_count(); ++i) {
    client_.connection(i).send_along(&options_.metadata);
  }
  return 0;
}

bool Benchmark::log_in() {
  const size_t colon = request_.user.find(':');
  std::string body;
  {
    const GrpcFrame frame(body);
    WireWriter writer(body);
    writer.bytes(1, request_.user.substr(0, colon));
    if (colon != std::string::npos) writer.bytes(2, request_.user.substr(colon + 1));
  }
  std::string answer;
  if (!client_.call("/etcdserverpb.Auth/Authenticate", std::move(body), answer)) {
    fail("cannot log in: " + answer);
    return false;
  }
  WireReader reader(answer);
  WireField field;
  while (reader.next(field)) {
    if (field.number == 2) options_.metadata.emplace_back("token", field.bytes);
  }
  return true;
}

bool Benchmark::load(Meter& meter, const Options& options, const char* what) {
  const KeySpace keys(options.prefix, options.value_size);
  RevisionLedger ledger;  // others may write meanwhile: what it finds does not count
  client_.on_turn([this, &meter, what] { show_progress(meter, what); });
  const std::unique_ptr<Workload> workload = make_workload(options, keys, ledger);
  if (const std::string wrong = workload->prepare(client_); !wrong.empty()) meter.fail(wrong);
  UnaryLoad unary(client_, *workload, meter, options);
  const bool ran = unary.run();
  client_.on_turn({});
  if (!ran) return false;
  if (const std::string wrong = workload->verify(client_); !wrong.empty()) meter.fail(wrong);
  return true;
}

bool Benchmark::watch(const KeySpace& keys) {
  RevisionLedger ledger;
  client_.on_turn([this] { show_progress(meter_, name_of(request_.action)); });
  WatchLoad watches(client_, keys, meter_, ledger, options_);
  const bool ran = watches.run();
  client_.on_turn({});
  return ran;
}

bool Benchmark::remove_keys(const KeySpace& keys) {
  std::string body;
  // DeleteRangeRequest numbers key and range_end as RangeRequest does.
  encode_range(body, keys.prefix(), keys.range_end(), 0);
  std::string answer;
  if (client_.call("/etcdserverpb.KV/DeleteRange", std::move(body), answer)) return true;
  fail("cannot delete the keys below \"" + keys.prefix() + "\": " + answer);
  return false;
}

int Benchmark::run() {
  const KeySpace keys(options_.prefix, options_.value_size);
  const bool reads = options_.mode == Mode::get || options_.mode == Mode::mixed;
  if (reads) {
    Options fill = options_;
    fill.mode = Mode::fill;
    fill.txn_puts = fill_txn_puts;
    fill.rate = 0;
    Meter filled;
    if (!load(filled, fill, "fill")) return fail(client_.error());
    if (!is_valid(filled)) {
      return fail(filled.failures().empty() ? "nothing to read" : filled.failures().begin()->first);
    }
  }
  const bool ran = options_.mode == Mode::watch_distinct
                       ? watch(keys)
                       : load(meter_, options_, name_of(request_.action));
  if (!ran) return fail(client_.error());
  end_progress();
  if (!request_.keep && !remove_keys(keys)) return exit_failed;
  return is_valid(meter_) ? 0 : exit_failed;
}

void Benchmark::show_progress(const Meter& meter, const char* what) {
  const uint64_t now = now_ns();
  if (!tells_ || now - shown_ns_ < progress_interval_ns || !meter.window_open()) return;
  const double seconds = meter.window_seconds();
  if (seconds < static_cast<double>(progress_interval_ns) / 1e9)
    return;  // too few to say how many there are a second
  shown_ns_ = now;
  const Histogram& latency = meter.histogram();
  const auto done = static_cast<double>(latency.count());
  char share[16] = "";
  if (&meter == &meter_) {
    const double part = options_.total != 0 ? done / static_cast<double>(options_.total)
                                            : seconds / options_.duration_seconds;
    std::snprintf(share, sizeof share, "%3.0f %%, ", std::min(part, 1.0) * 100);
  }
  char line[128];
  const int size =
      std::snprintf(line, sizeof line, "%s: %s%.0f done, %.0f/s, p50 %.2f ms, p99 %.2f ms", what,
                    share, done, done / seconds, static_cast<double>(latency.percentile(0.5)) / 1e6,
                    static_cast<double>(latency.percentile(0.99)) / 1e6);
  // What does not fit would begin a line that is never cleared.
  const size_t shown = std::min({static_cast<size_t>(size), sizeof line - 1, columns() - 1});
  err_ << "\r" << std::string_view(line, shown) << "\x1b[K" << std::flush;
}

// Clears the line.
void Benchmark::end_progress() {
  if (std::exchange(shown_ns_, 0) != 0) err_ << "\r\x1b[K" << std::flush;
}

}  // namespace

int run_benchmark(const BenchmarkRequest& request, std::ostream& out, std::ostream& err) {
  std::signal(SIGPIPE, SIG_IGN);
  Benchmark benchmark(request, err);
  if (const int status = benchmark.connect(); status != 0) return status;
  const int status = benchmark.run();
  if (benchmark.meter().histogram().count() == 0 && status != 0) {
    for (const auto& [why, count] : benchmark.meter().failures()) err << "error: " << why << "\n";
    return status;
  }
  const Report report = benchmark.report();
  out << (request.json ? to_json(report, benchmark.meter()) + "\n"
                       : to_text(report, benchmark.meter()));
  return status;
}

}  // namespace lattice::load
