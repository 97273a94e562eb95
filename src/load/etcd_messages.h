// The requests that the load generator sends, already framed for gRPC, and the parts of the answers
// that it checks.
// Ownership: encoders append to `out`; decoded views live as long as the message they came from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lattice::load {

// Full paths of the methods under load.
inline constexpr std::string_view put_path = "/etcdserverpb.KV/Put";
inline constexpr std::string_view range_path = "/etcdserverpb.KV/Range";
inline constexpr std::string_view txn_path = "/etcdserverpb.KV/Txn";
inline constexpr std::string_view watch_path = "/etcdserverpb.Watch/Watch";
inline constexpr std::string_view lease_grant_path = "/etcdserverpb.Lease/LeaseGrant";
inline constexpr std::string_view lease_revoke_path = "/etcdserverpb.Lease/LeaseRevoke";
inline constexpr std::string_view lease_keep_alive_path = "/etcdserverpb.Lease/LeaseKeepAlive";

// Starts a gRPC message at the end of a buffer; its length is filled in on destruction.
class GrpcFrame {
 public:
  explicit GrpcFrame(std::string& out);
  ~GrpcFrame();
  GrpcFrame(const GrpcFrame&) = delete;
  GrpcFrame& operator=(const GrpcFrame&) = delete;

 private:
  std::string& out_;
  size_t start_;
};

void encode_put(std::string& out, std::string_view key, std::string_view value);
// Without a range end, the one key; without a limit (0), all of them.
void encode_range(std::string& out, std::string_view key, std::string_view range_end,
                  int64_t limit);
// A transaction: if the key's revision is `mod_revision`, put it; else read it.
void encode_update(std::string& out, std::string_view key, std::string_view value,
                   int64_t mod_revision);
void encode_watch_create(std::string& out, std::string_view key);
void encode_watch_cancel(std::string& out, int64_t watch_id);
void encode_lease_id(std::string& out, int64_t id);
void encode_lease_grant(std::string& out, int64_t id, int64_t ttl_seconds);

// A transaction of puts without conditions; add the puts, then call finish once.
class TxnOfPuts {
 public:
  void add(std::string_view key, std::string_view value);
  void finish(std::string& out);

 private:
  std::string ops_;
};

struct KeyValue {
  std::string_view key;
  std::string_view value;
  int64_t mod_revision = 0;
};

// Each decoder returns false when the message is malformed.
bool decode_key_value(std::string_view message, KeyValue& kv);
// header.revision of any response; 0 when there is no header.
bool decode_revision(std::string_view message, int64_t& revision);

struct TxnAnswer {
  int64_t revision = 0;
  bool succeeded = false;
  uint64_t responses = 0;
};
bool decode_txn(std::string_view message, TxnAnswer& answer);

struct RangeAnswer {
  int64_t revision = 0;
  int64_t count = 0;
  bool more = false;
  uint64_t kvs = 0;
};
// Calls `on_kv(index, encoded key-value)` for each key-value.
template <class OnKv>
bool decode_range(std::string_view message, RangeAnswer& answer, OnKv&& on_kv);

struct WatchAnswer {
  int64_t watch_id = 0;
  bool created = false;
  bool canceled = false;
  uint64_t events = 0;
};
// Calls `on_event(type, encoded key-value)` for each event, after watch_id is known: the field
// precedes the events on the wire.
template <class OnEvent>
bool decode_watch(std::string_view message, WatchAnswer& answer, OnEvent&& on_event);

struct LeaseAnswer {
  int64_t id = 0;
  int64_t ttl_seconds = 0;
};
// Of LeaseGrant and LeaseKeepAlive: both number ID and TTL alike.
bool decode_lease(std::string_view message, LeaseAnswer& answer);

}  // namespace lattice::load

#include "load/etcd_messages_inl.h"
