#include "telemetry/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <utility>
#include <variant>

namespace lattice::telemetry {
namespace {

using AnyFamily = std::variant<std::unique_ptr<Family<Counter>>, std::unique_ptr<Family<Gauge>>,
                               std::unique_ptr<Family<Histogram>>>;

std::unique_ptr<Histogram> make_series(const FamilyInfo& info, Histogram*) {
  return std::make_unique<Histogram>(std::span<const double>(info.bounds));
}
template <class Metric>
std::unique_ptr<Metric> make_series(const FamilyInfo&, Metric*) {
  return std::make_unique<Metric>();
}

[[noreturn]] void misuse(std::string_view name, const char* what) {
  std::fprintf(stderr, "metric %.*s: %s\n", static_cast<int>(name.size()), name.data(), what);
  std::abort();
}

prometheus::MetricType export_type(const Counter*) { return prometheus::MetricType::Counter; }
prometheus::MetricType export_type(const Gauge*) { return prometheus::MetricType::Gauge; }
prometheus::MetricType export_type(const Histogram*) { return prometheus::MetricType::Histogram; }

void export_value(const Counter& counter, prometheus::ClientMetric& out) {
  out.counter.value = static_cast<double>(counter.value());
}
void export_value(const Gauge& gauge, prometheus::ClientMetric& out) {
  out.gauge.value = gauge.value();
}
void export_value(const Histogram& histogram, prometheus::ClientMetric& out) {
  uint64_t count = 0;
  for (size_t i = 0; i <= histogram.bounds().size(); ++i) {
    count += histogram.bucket(i);
    const double bound = i < histogram.bounds().size() ? histogram.bounds()[i]
                                                       : std::numeric_limits<double>::infinity();
    out.histogram.bucket.push_back({count, bound});
  }
  out.histogram.sample_count = count;
  out.histogram.sample_sum = histogram.sum();
}

// A labelled histogram without observations: there may be many.
bool is_silent(const Histogram& histogram) {
  for (size_t i = 0; i <= histogram.bounds().size(); ++i) {
    if (histogram.bucket(i) > 0) return false;
  }
  return true;
}
template <class Metric>
bool is_silent(const Metric&) {
  return false;
}

template <class Metric>
prometheus::MetricFamily export_family(const Family<Metric>& family) {
  prometheus::MetricFamily out;
  const FamilyInfo& info = family.info();
  out.name = info.name;
  out.help = info.help;
  out.type = info.grows ? prometheus::MetricType::Counter
                        : export_type(static_cast<const Metric*>(nullptr));
  family.for_each([&](const std::vector<std::string>& values, const Metric& metric) {
    if (!values.empty() && is_silent(metric)) return;
    prometheus::ClientMetric series;
    for (size_t i = 0; i < values.size(); ++i) {
      series.label.push_back({info.label_names[i], values[i]});
    }
    export_value(metric, series);
    if (info.grows) series.counter.value = series.gauge.value;
    out.metric.push_back(std::move(series));
  });
  return out;
}

}  // namespace

void Histogram::observe(double value) {
  value = std::max(value, 0.0);
  const auto at = std::lower_bound(bounds_.begin(), bounds_.end(), value);
  buckets_[static_cast<size_t>(at - bounds_.begin())].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(static_cast<uint64_t>(value * 1e9), std::memory_order_relaxed);
}

void Histogram::set_to_sum(std::span<Histogram* const> parts) {
  uint64_t sum = 0;
  for (const Histogram* part : parts) sum += part->sum_.load(std::memory_order_relaxed);
  sum_.store(sum, std::memory_order_relaxed);
  for (size_t i = 0; i < buckets_.size(); ++i) {
    uint64_t count = 0;
    for (const Histogram* part : parts) count += part->bucket(i);
    buckets_[i].store(count, std::memory_order_relaxed);
  }
}

std::vector<double> exponential_bounds(double first, double factor, size_t count) {
  std::vector<double> bounds;
  for (double bound = first; bounds.size() < count; bound *= factor) bounds.push_back(bound);
  return bounds;
}

template <class Metric>
Metric& Family<Metric>::with(std::initializer_list<std::string_view> label_values) {
  if (label_values.size() != info_.label_names.size()) misuse(info_.name, "wrong number of labels");
  std::vector<std::string> values(label_values.begin(), label_values.end());
  std::lock_guard lock(mutex_);
  auto found = series_.find(values);
  if (found == series_.end()) {
    if (series_.size() >= info_.series_max) values.assign(values.size(), "other");
    found = series_.try_emplace(std::move(values)).first;
    if (!found->second) found->second = make_series(info_, static_cast<Metric*>(nullptr));
  }
  return *found->second;
}

template class Family<Counter>;
template class Family<Gauge>;
template class Family<Histogram>;

struct Registry::State {
  template <class Metric>
  Family<Metric>& family(FamilyInfo info) {
    std::lock_guard lock(mutex);
    const auto found = families.find(info.name);
    if (found == families.end()) {
      auto made = std::make_unique<Family<Metric>>(std::move(info));
      Family<Metric>& family = *made;
      families.emplace(family.info().name, std::move(made));
      return family;
    }
    auto* same_kind = std::get_if<std::unique_ptr<Family<Metric>>>(&found->second);
    if (same_kind == nullptr) misuse(info.name, "registered before as another kind");
    if ((*same_kind)->info().label_names != info.label_names) {
      misuse(info.name, "registered before with other labels");
    }
    return **same_kind;
  }

  mutable std::mutex mutex;
  std::map<std::string, AnyFamily> families;
  std::vector<std::function<void()>> refreshers;
};

Registry::Registry() : state_(std::make_unique<State>()) {}
Registry::~Registry() = default;

Family<Counter>& Registry::counters(std::string_view name, std::string_view help,
                                    std::vector<std::string> label_names, size_t series_max) {
  return state_->family<Counter>(
      {std::string(name), std::string(help), std::move(label_names), series_max, {}, false});
}

Family<Gauge>& Registry::gauges(std::string_view name, std::string_view help,
                                std::vector<std::string> label_names, size_t series_max) {
  return state_->family<Gauge>(
      {std::string(name), std::string(help), std::move(label_names), series_max, {}, false});
}

Family<Histogram>& Registry::histograms(std::string_view name, std::string_view help,
                                        std::vector<double> bounds,
                                        std::vector<std::string> label_names, size_t series_max) {
  return state_->family<Histogram>({std::string(name), std::string(help), std::move(label_names),
                                    series_max, std::move(bounds)});
}

Counter& Registry::counter(std::string_view name, std::string_view help) {
  return counters(name, help, {}).with({});
}

Gauge& Registry::gauge(std::string_view name, std::string_view help) {
  return gauges(name, help, {}).with({});
}

Histogram& Registry::histogram(std::string_view name, std::string_view help,
                               std::vector<double> bounds) {
  return histograms(name, help, std::move(bounds), {}).with({});
}

Gauge& Registry::growing(std::string_view name, std::string_view help) {
  return state_
      ->family<Gauge>({.name = std::string(name),
                       .help = std::string(help),
                       .label_names = {},
                       .series_max = 1,
                       .bounds = {},
                       .grows = true})
      .with({});
}

void Registry::on_scrape(std::function<void()> refresh) {
  std::lock_guard lock(state_->mutex);
  state_->refreshers.push_back(std::move(refresh));
}

std::string Registry::scrape() const {
  std::vector<std::function<void()>> refreshers;
  {
    std::lock_guard lock(state_->mutex);
    refreshers = state_->refreshers;
  }
  for (const auto& refresh : refreshers) refresh();

  std::vector<prometheus::MetricFamily> exported;
  {
    std::lock_guard lock(state_->mutex);
    for (const auto& [name, family] : state_->families) {
      std::visit([&](const auto& f) { exported.push_back(export_family(*f)); }, family);
    }
  }
  return prometheus::TextSerializer().Serialize(exported);
}

}  // namespace lattice::telemetry
