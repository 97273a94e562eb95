// The workloads behind make_workload.
// Thread: the loader's only thread.
#pragma once

#include <random>
#include <vector>

#include "load/read_back.h"
#include "load/workload.h"

namespace lattice::load {

// Plain puts to uniformly chosen keys. Some of them are remembered and read back at the end.
class PutWorkload : public Workload {
 public:
  PutWorkload(const Options& options, const KeySpace& keys, RevisionLedger& ledger);

  bool next(Request& request) override;
  std::string_view check(const Request& request, std::string_view answer) override;
  std::string verify(Client& client) override { return read_back_.verify(client); }

 private:
  const KeySpace& keys_;
  RevisionLedger& ledger_;
  std::mt19937_64 random_;
  std::uniform_int_distribution<uint64_t> pick_;
  uint64_t nonce_ = 0;
  uint64_t sample_every_;
  ReadBack read_back_;
};

// What Kubernetes writes: a transaction that puts a key if its revision is the one last seen, and
// reads it otherwise. Each key has one writer at a time, so every transaction must succeed.
class UpdateWorkload : public Workload {
 public:
  UpdateWorkload(const Options& options, const KeySpace& keys, RevisionLedger& ledger);

  std::string prepare(Client& client) override;
  bool next(Request& request) override;
  std::string_view check(const Request& request, std::string_view answer) override;
  std::string verify(Client& client) override { return read_back_.verify(client); }

 private:
  static constexpr int64_t busy = -1;

  const KeySpace& keys_;
  RevisionLedger& ledger_;
  std::mt19937_64 random_;
  std::uniform_int_distribution<uint64_t> pick_;
  std::vector<int64_t> revisions_;  // of each key, 0 when absent, busy while it is written
  uint64_t nonce_ = 0;
  uint64_t sample_every_;
  ReadBack read_back_;
};

// Linearizable reads of single keys, uniformly chosen. The keys must have been filled.
class GetWorkload : public Workload {
 public:
  GetWorkload(const Options& options, const KeySpace& keys);

  bool next(Request& request) override;
  std::string_view check(const Request& request, std::string_view answer) override;
  std::string verify(Client&) override { return {}; }

 private:
  const KeySpace& keys_;
  std::mt19937_64 random_;
  std::uniform_int_distribution<uint64_t> pick_;
  uint64_t answers_ = 0;
  uint64_t sample_every_;
};

// Lists the whole key space in one request.
class ListWorkload : public Workload {
 public:
  ListWorkload(const Options& options, const KeySpace& keys);

  bool next(Request& request) override;
  std::string_view check(const Request& request, std::string_view answer) override;
  std::string verify(Client&) override { return {}; }
  uint64_t keys_per_request() const override { return count_; }

 private:
  const KeySpace& keys_;
  uint64_t count_;
  uint64_t answers_ = 0;
  uint64_t sample_every_;
};

// Gets and puts in a fixed proportion.
class MixedWorkload : public Workload {
 public:
  MixedWorkload(const Options& options, const KeySpace& keys, RevisionLedger& ledger);

  bool next(Request& request) override;
  std::string_view check(const Request& request, std::string_view answer) override;
  std::string verify(Client& client) override { return puts_.verify(client); }

 private:
  PutWorkload puts_;
  GetWorkload gets_;
  std::mt19937_64 random_;
  std::uniform_int_distribution<uint64_t> percent_{0, 99};
  uint64_t read_percent_;
};

// Every key once, in order; in transactions when asked.
class FillWorkload : public Workload {
 public:
  FillWorkload(const Options& options, const KeySpace& keys, RevisionLedger& ledger);

  bool next(Request& request) override;
  std::string_view check(const Request& request, std::string_view answer) override;
  std::string verify(Client&) override { return {}; }
  uint64_t keys_per_request() const override { return txn_puts_; }

 private:
  const KeySpace& keys_;
  RevisionLedger& ledger_;
  uint64_t count_;
  uint64_t txn_puts_;
  uint64_t next_ = 0;
};

}  // namespace lattice::load
