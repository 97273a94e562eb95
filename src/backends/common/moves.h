// What a database does for a tenant that moves to another one (docs/decisions/0020): the states of
// its rows, and a copy of its log that is the same to the byte.
//
// Thread: a loop's; callbacks there, never inside the call.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "backends/common/tenants.h"
#include "base/callback.h"
#include "replica/log.h"

namespace lattice::backends {

// How many records of a log there are, in parts of `census_batches` batches each, by the part's
// number. One moment's.
inline constexpr uint64_t census_batches = 4096;
using Census = std::map<uint64_t, int64_t>;

class TenantMoves {
 public:
  virtual ~TenantMoves() = default;

  struct Change {
    std::vector<TenantState> from;
    TenantState to = TenantState::active;
    std::string other_backend;
    int64_t routing_epoch = 0;
  };
  // `to` moved: the name becomes free. Errors: tenant_unknown, when its state is not one of `from`.
  virtual void change(int64_t log_no, Change change, StatusCallback done) = 0;
  // Makes the row of a tenant that is to be copied to here: its name, log id and limits, the state
  // arriving. Errors: tenant_exists.
  virtual void receive(const TenantRow& row, StatusCallback done) = 0;
  // Adds batches to the copy, in the order of the log; one that is there already stays. Requires:
  // their headers are there. Errors: tenant_unknown, when it is not arriving.
  virtual void add(int64_t log_no, std::vector<replica::Log::LoadedBatch> batches,
                   StatusCallback done) = 0;
  // Up to the batch `last`.
  virtual void census(int64_t log_no, Seq last, Callback<Census> done) = 0;
  // The records of batches from `first` up to `last`, in order.
  virtual void records(int64_t log_no, Seq first, Seq last,
                       Callback<std::vector<keyspace::RecordId>> done) = 0;
};

}  // namespace lattice::backends
