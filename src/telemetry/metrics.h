// Metrics: a counter costs one relaxed atomic add, a histogram two; no lock outside registration
// and scrape. (prometheus-cpp's own Histogram takes a mutex, so only its text format is used.)
//
// Thread: add, set and observe from any thread; with() and registration take a lock, so keep the
//   reference.
// Ownership: a Registry owns its families and series; references stay valid as long as it lives.
// Invariants: labels are bounded: beyond series_max a family answers with its "other" series.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace lattice::telemetry {

class Counter {
 public:
  void add(uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

class Gauge {
 public:
  void set(double v) { value_.store(v, std::memory_order_relaxed); }
  void add(double n) { value_.fetch_add(n, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

// Counts per bucket (upper bounds inclusive, ascending) and the sum, kept in billionths.
class Histogram {
 public:
  explicit Histogram(std::span<const double> bounds)
      : bounds_(bounds), buckets_(bounds.size() + 1) {}

  // Negative values count as zero.
  void observe(double value);
  // Becomes the sum of others with the same bounds.
  void set_to_sum(std::span<Histogram* const> parts);
  void observe(Duration seconds) { observe(std::chrono::duration<double>(seconds).count()); }

  std::span<const double> bounds() const { return bounds_; }
  // The i-th bucket alone, not cumulative; i == bounds().size() is what lies above all bounds.
  uint64_t bucket(size_t i) const { return buckets_[i].load(std::memory_order_relaxed); }
  double sum() const { return static_cast<double>(sum_.load(std::memory_order_relaxed)) * 1e-9; }

 private:
  std::span<const double> bounds_;  // the family's
  std::vector<std::atomic<uint64_t>> buckets_;
  std::atomic<uint64_t> sum_{0};
};

// `count` bounds starting at `first`, each `factor` times the one before.
std::vector<double> exponential_bounds(double first, double factor, size_t count);

// What all series of one name share.
struct FamilyInfo {
  std::string name;
  std::string help;
  std::vector<std::string> label_names;
  size_t series_max = 1;
  std::vector<double> bounds;  // histograms only
  bool grows = false;          // a gauge that only grows: exported as a counter
};

template <class Metric>
class Family {
 public:
  explicit Family(FamilyInfo info) : info_(std::move(info)) {}

  // The series with these label values, made at 0 when it is new.
  // Requires: as many values as the family has labels.
  Metric& with(std::initializer_list<std::string_view> label_values);
  const FamilyInfo& info() const { return info_; }

  // Calls visit(label values, metric) for each series, in the order of the values.
  template <class Visit>
  void for_each(Visit visit) const {
    std::lock_guard lock(mutex_);
    for (const auto& [values, metric] : series_) visit(values, *metric);
  }

 private:
  const FamilyInfo info_;
  mutable std::mutex mutex_;
  std::map<std::vector<std::string>, std::unique_ptr<Metric>> series_;
};

class Registry {
 public:
  static constexpr size_t series_max_default = 2000;

  Registry();
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // A second request for a name answers the same family. Requires: of the same kind and labels.
  Family<Counter>& counters(std::string_view name, std::string_view help,
                            std::vector<std::string> label_names,
                            size_t series_max = series_max_default);
  Family<Gauge>& gauges(std::string_view name, std::string_view help,
                        std::vector<std::string> label_names,
                        size_t series_max = series_max_default);
  Family<Histogram>& histograms(std::string_view name, std::string_view help,
                                std::vector<double> bounds, std::vector<std::string> label_names,
                                size_t series_max = series_max_default);

  // One series without labels.
  Counter& counter(std::string_view name, std::string_view help);
  Gauge& gauge(std::string_view name, std::string_view help);
  Histogram& histogram(std::string_view name, std::string_view help, std::vector<double> bounds);
  // A counter that somebody else keeps: it is set, at scrapes say.
  Gauge& growing(std::string_view name, std::string_view help);

  // Runs before each scrape, on its thread: the place to set gauges that are costly to keep
  // current. Requires: what it refers to lives until the last scrape.
  void on_scrape(std::function<void()> refresh);

  // The Prometheus text format. Labelled histograms without observations are left out.
  std::string scrape() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lattice::telemetry
