// lattice_commit_probe sqlite FILE | postgres URI [COMMITS [VALUE_SIZE]]: prints the latency of a
// bare commit as JSON.
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "probe.h"

int main(int argc, char** argv) {
  using namespace lattice::load;
  const std::string_view kind = argc > 1 ? argv[1] : "";
  if (argc < 3 || (kind != "sqlite" && kind != "postgres")) {
    std::fprintf(stderr,
                 "usage: lattice_commit_probe sqlite FILE | postgres URI [COMMITS [SIZE]]\n");
    return 2;
  }
  ProbeRequest request;
  request.target = argv[2];
  if (argc > 3) request.commits = std::strtoull(argv[3], nullptr, 10);
  if (argc > 4) request.value_size = std::strtoull(argv[4], nullptr, 10);
  Histogram latency;
  const std::string error =
      kind == "sqlite" ? probe_sqlite(request, latency) : probe_postgres(request, latency);
  if (!error.empty()) {
    std::fprintf(stderr, "lattice_commit_probe: %s\n", error.c_str());
    return 1;
  }
  const auto us = [](uint64_t ns) { return static_cast<double>(ns) / 1000; };
  std::printf("{\"commits\":%llu,\"latency_us\":{\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f}}\n",
              static_cast<unsigned long long>(latency.count()), us(latency.percentile(0.5)),
              us(latency.percentile(0.99)), us(latency.max()));
  return 0;
}
