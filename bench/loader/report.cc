#include "report.h"

#include <cstdio>

namespace lattice::bench {
namespace {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(static_cast<unsigned char>(c) < 0x20 ? ' ' : c);
  }
  return out + '"';
}

double microseconds(uint64_t ns) { return static_cast<double>(ns) / 1000; }

}  // namespace

bool print_report(const Report& report, const Meter& meter) {
  const Histogram& latency = meter.histogram();
  const bool valid = latency.count() > 0 && meter.failures().empty();
  const double seconds = meter.window_seconds();
  const double operations = static_cast<double>(latency.count()) * report.operations_scale;
  std::printf("{\"mode\":%s,\"unit\":%s,\"valid\":%s,", quoted(report.mode).c_str(),
              quoted(report.unit).c_str(), valid ? "true" : "false");
  std::printf("\"operations\":%.0f,\"seconds\":%.6f,\"per_second\":%.3f,", operations, seconds,
              seconds > 0 ? operations / seconds : 0);
  std::printf("\"latency_us\":{\"mean\":%.3f", latency.mean() / 1000);
  for (const auto& [name, fraction] :
       {std::pair{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}}) {
    std::printf(",\"%s\":%.3f", name, microseconds(latency.percentile(fraction)));
  }
  std::printf(",\"max\":%.3f},", microseconds(latency.max()));
  for (const auto& [name, value] : report.extra) {
    std::printf("%s:%.3f,", quoted(name).c_str(), value);
  }
  std::printf("\"loader_cpu_fraction\":%.3f,\"errors\":{", meter.loader_cpu_fraction());
  const char* separator = "";
  for (const auto& [why, count] : meter.failures()) {
    std::printf("%s%s:%llu", separator, quoted(why).c_str(),
                static_cast<unsigned long long>(count));
    separator = ",";
  }
  std::printf("}}\n");
  std::fflush(stdout);
  return valid;
}

}  // namespace lattice::bench
