// The list of a database's tenants, which is the table `logs` (docs/log-format.md). Whoever may
// write to the database may change it; running processes look at its version to find out.
//
// A tenant that is removed loses its name at once, and its row becomes a tombstone that keeps the
// log's number: a late append to the old log can never meet a new one.
// Thread: pure functions, plain data.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/callback.h"
#include "replica/batch.h"

namespace lattice::backends {

enum class TenantState : uint8_t {
  active,
  removing,  // nobody serves it any more; its rows are being deleted
  // A move to another database (docs/decisions/0020), here:
  moving,   // it is being copied, and served from here
  sealing,  // likewise; its leader is to seal the log, unless it has
  moved,    // a tombstone, with the name of one, that says where the tenant went
  // and there:
  arriving,  // it is being copied to here, and nobody may lead it
};
// "active": as it is stored. What is not known counts as removing: it is not served.
std::string_view state_to_text(TenantState state);
TenantState state_from_text(std::string_view text);

// Limits by name (limit_names); what is not in it is as the configuration says.
using TenantLimitValues = std::map<std::string, int64_t, std::less<>>;

struct TenantRow {
  std::string name;  // of one that is being removed: of its tombstone
  int64_t log_no = 0;
  replica::LogId log_id{};
  TenantState state = TenantState::active;
  TenantLimitValues limits;
  std::string created_at;  // for people
  // Of the newest move: the database at its other end, as the configuration calls it, and the
  // routing epoch that began with it.
  std::string other_backend;
  int64_t routing_epoch = 0;

  // Without the mark of a tombstone.
  std::string_view plain_name() const;
};

struct TenantList {
  int64_t version = 0;             // grows with every change
  std::vector<TenantRow> tenants;  // by name; tombstones of removed tenants are left out
};

// Where the list is kept, as those who serve the tenants need it.
// Thread: a loop's; callbacks there, never inside the call.
class TenantDirectory {
 public:
  virtual ~TenantDirectory() = default;
  virtual void version(Callback<int64_t> done) = 0;
  virtual void list(Callback<TenantList> done) = 0;
  // Errors: tenant_exists.
  virtual void create(const std::string& name, const TenantLimitValues& limits,
                      StatusCallback done) = 0;
  // Errors: tenant_unknown.
  virtual void set_limits(const std::string& name, const TenantLimitValues& limits,
                          StatusCallback done) = 0;
  // Makes it unknown to everybody; the data stays until sweep(). Errors: tenant_unknown.
  virtual void remove(const std::string& name, StatusCallback done) = 0;
  // Deletes some rows of a log that is being removed; answers whether there are more. Requires:
  // nobody serves it.
  virtual void sweep(int64_t log_no, Callback<bool> done) = 0;
};

// Every limit that a tenant can have of its own.
inline constexpr auto limit_names = std::to_array<std::string_view>(
    {"requests_per_second", "requests_burst", "bytes_per_second", "bytes_burst", "grace_ms",
     "concurrent_requests_max", "watches_max", "connections_max", "weight", "key_bytes_max",
     "value_bytes_max", "keys_max", "leases_max", "quota_bytes", "lease_ttl_seconds_default",
     "lease_ttl_seconds_max"});
// "keys_max=10 quota_bytes=1024": as it is stored.
std::string limits_to_text(const TenantLimitValues& limits);
// nullopt for anything else. Unknown names are kept: a newer Lattice may have written them.
std::optional<TenantLimitValues> limits_from_text(std::string_view text);

}  // namespace lattice::backends
