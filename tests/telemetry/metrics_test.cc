#include "telemetry/metrics.h"

#include <doctest/doctest.h>

#include <cmath>
#include <set>
#include <sstream>
#include <string>
#include <thread>

#include "telemetry/grpc_metrics.h"
#include "telemetry/server_metrics.h"

namespace lattice::telemetry {
namespace {

bool has_line(const std::string& text, std::string_view line) {
  std::istringstream in(text);
  for (std::string l; std::getline(in, l);) {
    if (l == line) return true;
  }
  return false;
}

TEST_CASE("counters and gauges appear in the Prometheus text format") {
  Registry registry;
  Counter& counter = registry.counter("x_total", "Things.");
  registry.gauge("y", "Level.").set(2.5);
  counter.add();
  counter.add(41);
  const std::string text = registry.scrape();
  CHECK(has_line(text, "# HELP x_total Things."));
  CHECK(has_line(text, "# TYPE x_total counter"));
  CHECK(has_line(text, "x_total 42"));
  CHECK(has_line(text, "# TYPE y gauge"));
  CHECK(has_line(text, "y 2.5"));
}

TEST_CASE("a second registration answers the same series") {
  Registry registry;
  CHECK(&registry.counter("x_total", "Things.") == &registry.counter("x_total", "Things."));
}

TEST_CASE("a histogram's buckets are cumulative and inclusive") {
  Registry registry;
  Histogram& histogram = registry.histogram("h_seconds", "Time.", {0.1, 1, 10});
  histogram.observe(0.1);
  histogram.observe(std::chrono::milliseconds(500));
  histogram.observe(100.0);
  histogram.observe(-1.0);
  const std::string text = registry.scrape();
  CHECK(has_line(text, "h_seconds_bucket{le=\"0.1\"} 2"));
  CHECK(has_line(text, "h_seconds_bucket{le=\"1\"} 3"));
  CHECK(has_line(text, "h_seconds_bucket{le=\"10\"} 3"));
  CHECK(has_line(text, "h_seconds_bucket{le=\"+Inf\"} 4"));
  CHECK(has_line(text, "h_seconds_count 4"));
  CHECK(histogram.sum() == doctest::Approx(100.6));
}

TEST_CASE("labels are bounded: what comes late is counted as other") {
  Registry registry;
  auto& family = registry.counters("t_total", "Per tenant.", {"tenant"}, 2);
  family.with({"a"}).add();
  family.with({"b"}).add();
  family.with({"c"}).add();
  family.with({"d"}).add();
  family.with({"a"}).add();
  const std::string text = registry.scrape();
  CHECK(has_line(text, "t_total{tenant=\"a\"} 2"));
  CHECK(has_line(text, "t_total{tenant=\"other\"} 2"));
  CHECK(text.find("tenant=\"c\"") == text.npos);
}

TEST_CASE("label values are escaped") {
  Registry registry;
  registry.counters("e_total", "E.", {"l"}).with({"a\"b\\c\n"}).add();
  CHECK(has_line(registry.scrape(), R"(e_total{l="a\"b\\c\n"} 1)"));
}

TEST_CASE("adds from many threads are all counted") {
  Registry registry;
  Counter& counter = registry.counter("x_total", "Things.");
  Histogram& histogram = registry.histogram("h", "H.", {1, 2});
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 10000; ++i) {
          counter.add();
          histogram.observe(1.5);
        }
      });
    }
    for (int i = 0; i < 10; ++i) CHECK_FALSE(registry.scrape().empty());
  }
  CHECK(counter.value() == 40000);
  CHECK(histogram.bucket(1) == 40000);
  CHECK(histogram.sum() == doctest::Approx(60000));
}

TEST_CASE("a refresher runs before each scrape") {
  Registry registry;
  Gauge& gauge = registry.gauge("g", "G.");
  int scrapes = 0;
  registry.on_scrape([&] { gauge.set(++scrapes); });
  CHECK(has_line(registry.scrape(), "g 1"));
  CHECK(has_line(registry.scrape(), "g 2"));
}

TEST_CASE("a number that only grows is a counter, whoever keeps it") {
  Registry registry;
  registry.growing("x_seconds_total", "X.").set(1.5);
  const std::string text = registry.scrape();
  CHECK(has_line(text, "# TYPE x_seconds_total counter"));
  CHECK(has_line(text, "x_seconds_total 1.5"));
}

TEST_CASE("every etcd method is present at 0 with every code") {
  Registry registry;
  GrpcMetrics metrics(registry);
  const std::string text = registry.scrape();
  CHECK(rpc_methods().size() == 52);  // the 49 of etcd 3.7 and three of grpc.health.v1
  CHECK(has_line(text,
                 "grpc_server_handled_total{grpc_type=\"unary\",grpc_service=\"etcdserverpb.KV\","
                 "grpc_method=\"Put\",grpc_code=\"Unavailable\"} 0"));
  CHECK(has_line(text,
                 "grpc_server_started_total{grpc_type=\"bidi_stream\","
                 "grpc_service=\"etcdserverpb.Watch\",grpc_method=\"Watch\"} 0"));
  CHECK(text.find("grpc_server_handling_seconds_bucket") == text.npos);
}

TEST_CASE("a finished call is counted under its code, an unknown one under Unknown") {
  Registry registry;
  GrpcMetrics metrics(registry);
  auto& put = metrics.find("/etcdserverpb.KV/Put");
  put.started->add();
  put.finish(14, std::chrono::milliseconds(3));
  put.finish(99, std::chrono::milliseconds(3));
  metrics.find("/no.Such/Method").finish(12, Duration{});
  const std::string text = registry.scrape();
  const std::string labels =
      "grpc_type=\"unary\",grpc_service=\"etcdserverpb.KV\",grpc_method=\"Put\"";
  CHECK(has_line(text, "grpc_server_handled_total{" + labels + ",grpc_code=\"Unavailable\"} 1"));
  CHECK(has_line(text, "grpc_server_handled_total{" + labels + ",grpc_code=\"Unknown\"} 1"));
  // etcd's histogram is the sum of those by outcome, at each scrape.
  CHECK(has_line(text, "grpc_server_handling_seconds_count{" + labels + "} 2"));
  CHECK(has_line(text, "grpc_server_handling_seconds_bucket{" + labels + ",le=\"0.0032\"} 2"));
  CHECK(has_line(text,
                 "lattice_request_duration_seconds_count{grpc_service=\"etcdserverpb.KV\","
                 "grpc_method=\"Put\",grpc_code=\"Unavailable\"} 1"));
  CHECK(text.find("grpc_code=\"Aborted\",le=") == text.npos);
  CHECK(has_line(registry.scrape(), "grpc_server_handling_seconds_count{" + labels + "} 2"));
  CHECK(&metrics.find("/x/Y") == &metrics.find("/z/W"));
}

TEST_CASE("the guide's and the dashboards' names exist from the start") {
  Registry registry;
  ServerMetrics server(registry);
  GrpcMetrics grpc(registry);
  add_version_metrics(registry, "0.1.0", "3.6.5");
  add_process_metrics(registry);
  const std::string text = registry.scrape();
  for (const auto name :
       {"lattice_lin_bound_can_linearize", "lattice_adapter_etcd_requests_total",
        "lattice_adapter_etcd_errors_total", "lattice_kv_revision", "lattice_watch_active_streams",
        "lattice_lease_active_leases", "etcd_server_has_leader", "etcd_server_is_leader",
        "etcd_server_proposals_committed_total", "etcd_server_leader_changes_seen_total",
        "etcd_mvcc_db_total_size_in_bytes", "etcd_network_client_grpc_sent_bytes_total",
        "etcd_debugging_mvcc_keys_total", "etcd_disk_wal_fsync_duration_seconds_count"}) {
    CAPTURE(name);
    CHECK(has_line(text, std::string(name) + " 0"));
  }
  CHECK(has_line(text, "etcd_cluster_version{cluster_version=\"3.6\"} 1"));
  CHECK(has_line(text, "etcd_server_version{server_version=\"3.6.5\"} 1"));
}

TEST_CASE("process metrics are those of this process") {
  Registry registry;
  add_process_metrics(registry);
  const std::string before = registry.scrape();
  CHECK(registry.gauge("process_resident_memory_bytes", "Resident memory in bytes.").value() > 1e6);
  CHECK(registry.gauge("process_open_fds", "Open file descriptors.").value() >= 3);
  const double start =
      registry.gauge("process_start_time_seconds", "Start of the process, in unix seconds.")
          .value();
  const auto now =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  CHECK(std::abs(now - start) < 3600);
}

TEST_CASE("each name is written once, so that the scrape is valid") {
  Registry registry;
  ServerMetrics server(registry);
  GrpcMetrics grpc(registry);
  add_process_metrics(registry);
  std::istringstream in(registry.scrape());
  std::set<std::string> series;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with('#')) continue;
    CAPTURE(line);
    CHECK(series.insert(line.substr(0, line.rfind(' '))).second);
  }
  CHECK(series.size() > 800);
}

}  // namespace
}  // namespace lattice::telemetry
