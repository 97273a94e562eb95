// What the keyspace costs: nanoseconds of CPU per operation and bytes per key, for keys like those
// of Kubernetes. Usage: keyspace_bench [keys], one million by default.
//
// Most of what is left is waiting for memory, so the first line says how long a dependent access
// takes on this machine at this moment; compare runs by that measure.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <random>

#include "keyspace/keyspace.h"

namespace lattice::keyspace {
namespace {

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

template <class Work>
void report(const char* name, size_t operations, Work work) {
  const double start = cpu_seconds();
  work();
  const double each = (cpu_seconds() - start) / static_cast<double>(operations);
  std::printf("%-46s %10.0f ns\n", name, each * 1e9);
}

class Bench {
 public:
  explicit Bench(size_t keys) {
    for (size_t i = 0; i < keys; ++i) {
      char key[80];
      std::snprintf(key, sizeof key, "/registry/pods/namespace-%04zu/pod-%016llx", i % 1000,
                    static_cast<unsigned long long>(random_()));
      keys_.emplace_back(key);
    }
  }

  void run() {
    memory_latency();
    report("create, batches of 100", keys_.size(), [this] { put_all(); });
    std::printf("%-46s %10.0f bytes\n", "memory per key (60 byte values)",
                static_cast<double>(keyspace_.memory_bytes()) / static_cast<double>(keys_.size()));
    std::shuffle(keys_.begin(), keys_.end(), random_);
    report("get", keys_.size(), [this] { get_all(); });
    report("update, batches of 100", keys_.size(), [this] { put_all(); });
    list("list 500 of all", Revision(0));
    list("list 500 of all, 1000 revisions ago", keyspace_.visible_revision() - 1000);
    report("list everything, per key", keys_.size(), [this] {
      request_.limit = 0;
      found_ += keyspace_.range(request_)->kvs.size();
    });
    report("HashKV, per version", 2 * keys_.size(),
           [this] { found_ += keyspace_.hash_kv(Revision(0))->hash; });
    keyspace_.set_compact_revision(keyspace_.visible_revision());
    report("compaction, per version", 2 * keys_.size(), [this] {
      std::vector<RecordId> dropped;
      while (!keyspace_.compact_step(1000, &dropped).done) dropped.clear();
    });
    std::printf("(%zu)\n", found_);
  }

 private:
  void memory_latency() {
    std::vector<uint32_t> order(size_t{64} << 20);
    std::iota(order.begin(), order.end(), 0U);
    for (size_t i = order.size() - 1; i > 0; --i) std::swap(order[i], order[random_() % i]);
    constexpr size_t steps = 1000000;
    uint32_t at = 0;
    report("one dependent memory access", steps, [&] {
      for (size_t i = 0; i < steps; ++i) at = order[at];
    });
    found_ += at;
  }
  void put_all() {
    PutRequest request;
    request.value = std::string(60, 'v');
    for (size_t i = 0; i < keys_.size(); ++i) {
      request.key = keys_[i];
      if (!keyspace_.stage_put(request, {Seq(1), &records_, no_leases}).ok()) std::abort();
      if (i % 100 == 99) commit();
    }
    commit();
  }
  void commit() {
    keyspace_.commit(keyspace_.staged_revision());
    records_.clear();
  }
  void get_all() {
    RangeRequest request;
    for (const std::string& key : keys_) {
      request.range.key = key;
      found_ += keyspace_.range(request)->kvs.size();
    }
  }
  void list(const char* name, Revision revision) {
    request_.range = {"/registry/", "/registry0"};
    request_.limit = 500;
    request_.revision = revision;
    report(name, 100, [this] {
      for (int i = 0; i < 100; ++i) found_ += static_cast<size_t>(keyspace_.range(request_)->count);
    });
    request_.revision = Revision(0);
  }
  static bool no_leases(LeaseId) { return false; }

  std::mt19937_64 random_{1};
  std::vector<std::string> keys_;
  Keyspace keyspace_;
  std::vector<Record> records_;
  RangeRequest request_;
  size_t found_ = 0;
};

}  // namespace
}  // namespace lattice::keyspace

int main(int argc, char** argv) {
  const size_t keys = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1000000;
  lattice::keyspace::Bench(std::max<size_t>(keys, 1000)).run();
}
