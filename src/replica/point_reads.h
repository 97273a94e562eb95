// Reads of single keys, collected for one turn of the loop and then answered together: a read of
// one key among a million waits for memory half of its time, and reads that are known together wait
// together (Keyspace::locate). Linearizability does not mind: they are answered after they were
// asked.
// Thread: the replica's loop. Ownership: owns the calls until they are answered.
#pragma once

#include <string_view>
#include <vector>

#include "replica/lifetime.h"
#include "replica/read_queue.h"
#include "replica/state.h"

namespace lattice::replica {

class PointReads {
 public:
  PointReads(State& state, ReadQueue& reads) : state_(state), reads_(reads) {}

  // Requires: `request` is valid and asks for one key. Answered at the end of this turn, or when
  // its need is met.
  void add(keyspace::RangeRequest request, Callback<keyspace::RangeResult> done,
           auth::CallerRef caller);

 private:
  struct Read {
    keyspace::RangeRequest request;
    Callback<keyspace::RangeResult> done;
    auth::CallerRef caller;
  };
  void answer_all();
  void answer(Read read, const keyspace::KeyHistory* place);
  void tell(Read& read, const keyspace::KeyHistory* place);

  State& state_;
  ReadQueue& reads_;
  Lifetime lifetime_;
  std::vector<Read> turn_;
  // Kept for their capacity.
  std::vector<Read> answering_;
  std::vector<std::string_view> keys_;
  std::vector<const keyspace::KeyHistory*> places_;
};

}  // namespace lattice::replica
