#include "load/report.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>

namespace lattice::load {
namespace {

constexpr std::pair<const char*, double> percentiles[] = {
    {"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}};
constexpr size_t bar_width = 40;

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(static_cast<unsigned char>(c) < 0x20 ? ' ' : c);
  }
  return out + '"';
}

[[gnu::format(printf, 2, 3)]] void append(std::string* out, const char* format, ...) {
  char text[256];
  va_list values;
  va_start(values, format);
  std::vsnprintf(text, sizeof text, format, values);
  va_end(values);
  *out += text;
}

double microseconds(uint64_t ns) { return static_cast<double>(ns) / 1000; }
double milliseconds(double ns) { return ns / 1e6; }

// A line for each power of two of microseconds that occurs.
void append_histogram(const Histogram& latency, std::string* out) {
  struct Row {
    uint64_t up_to_ns;
    uint64_t count;
  };
  std::vector<Row> rows;
  uint64_t seen = 0;
  uint64_t most = 0;
  for (uint64_t up_to = 1000; seen < latency.count() && up_to > 0; up_to *= 2) {
    const uint64_t count = latency.count_up_to(up_to);
    if (count > 0) rows.push_back({up_to, count - seen});
    most = std::max(most, count - seen);
    seen = count;
  }
  for (const Row& row : rows) {
    const auto width =
        static_cast<size_t>(static_cast<double>(row.count) / static_cast<double>(most) * bar_width);
    const std::string bar(std::max(width, size_t{row.count > 0}), '#');
    append(out, "  <= %9.3f ms |%-*s %llu\n", milliseconds(static_cast<double>(row.up_to_ns)),
           static_cast<int>(bar_width), bar.c_str(), static_cast<unsigned long long>(row.count));
  }
}

}  // namespace

bool is_valid(const Meter& meter) {
  return meter.histogram().count() > 0 && meter.failures().empty();
}

std::string to_json(const Report& report, const Meter& meter) {
  const Histogram& latency = meter.histogram();
  const double seconds = meter.window_seconds();
  const double operations = static_cast<double>(latency.count()) * report.operations_scale;
  std::string out;
  append(&out, "{\"mode\":%s,\"unit\":%s,\"valid\":%s,", quoted(report.mode).c_str(),
         quoted(report.unit).c_str(), is_valid(meter) ? "true" : "false");
  append(&out, "\"operations\":%.0f,\"seconds\":%.6f,\"per_second\":%.3f,", operations, seconds,
         seconds > 0 ? operations / seconds : 0);
  append(&out, "\"latency_us\":{\"mean\":%.3f", latency.mean() / 1000);
  for (const auto& [name, fraction] : percentiles) {
    append(&out, ",\"%s\":%.3f", name, microseconds(latency.percentile(fraction)));
  }
  append(&out, ",\"max\":%.3f},", microseconds(latency.max()));
  for (const auto& [name, value] : report.extra) {
    append(&out, "%s:%.3f,", quoted(name).c_str(), value);
  }
  append(&out, "\"loader_cpu_fraction\":%.3f,\"errors\":{", meter.loader_cpu_fraction());
  const char* separator = "";
  for (const auto& [why, count] : meter.failures()) {
    out += separator + quoted(why) + ":" + std::to_string(count);
    separator = ",";
  }
  return out + "}}";
}

std::string to_text(const Report& report, const Meter& meter) {
  const Histogram& latency = meter.histogram();
  const double seconds = meter.window_seconds();
  const double operations = static_cast<double>(latency.count()) * report.operations_scale;
  std::string out(report.mode);
  append(&out, ": %.0f %ss in %.2f s, %.0f/s\n", operations, std::string(report.unit).c_str(),
         seconds, seconds > 0 ? operations / seconds : 0);
  append(&out, "latency: mean %.3f", milliseconds(latency.mean()));
  for (const auto& [name, fraction] : percentiles) {
    append(&out, ", %s %.3f", name,
           milliseconds(static_cast<double>(latency.percentile(fraction))));
  }
  append(&out, ", max %.3f ms\n", milliseconds(static_cast<double>(latency.max())));
  append_histogram(latency, &out);
  for (const auto& [why, count] : meter.failures()) {
    out += "failed " + std::to_string(count) + " times: " + why + "\n";
  }
  return out;
}

}  // namespace lattice::load
