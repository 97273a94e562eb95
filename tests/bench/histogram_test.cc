#include "load/histogram.h"

#include <doctest/doctest.h>

namespace lattice::load {
namespace {

TEST_CASE("an empty histogram answers zero") {
  const Histogram histogram;
  CHECK(histogram.count() == 0);
  CHECK(histogram.percentile(0.99) == 0);
  CHECK(histogram.mean() == 0);
}

TEST_CASE("percentiles are within a hundredth of the exact ones") {
  Histogram histogram;
  for (uint64_t i = 1; i <= 1'000'000; ++i) histogram.record(i);
  for (const double fraction : {0.01, 0.5, 0.9, 0.99, 0.999}) {
    const double exact = fraction * 1e6;
    CHECK(static_cast<double>(histogram.percentile(fraction)) ==
          doctest::Approx(exact).epsilon(0.01));
  }
  CHECK(histogram.percentile(1) == 1'000'000);
  CHECK(histogram.max() == 1'000'000);
  CHECK(histogram.mean() == doctest::Approx(500'000.5));
}

TEST_CASE("small values are exact and the largest fits") {
  Histogram histogram;
  histogram.record(0);
  histogram.record(200);
  histogram.record(UINT64_MAX);
  CHECK(histogram.percentile(0.3) == 0);
  CHECK(histogram.percentile(0.6) == 200);
  CHECK(histogram.percentile(1) == UINT64_MAX);
}

TEST_CASE("samples are counted up to a value") {
  Histogram histogram;
  for (uint64_t i = 1; i <= 200; ++i) histogram.record(i);
  CHECK(histogram.count_up_to(0) == 0);
  CHECK(histogram.count_up_to(100) == 100);
  CHECK(histogram.count_up_to(UINT64_MAX) == 200);
}

}  // namespace
}  // namespace lattice::load
