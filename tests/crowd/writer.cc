#include "writer.h"

#include <charconv>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "load/clock.h"
#include "load/etcd_messages.h"
#include "proto/rpc.pb.h"

namespace lattice::crowd {
namespace {

constexpr size_t digits = 6;
constexpr std::string_view compact_path = "/etcdserverpb.KV/Compact";

}  // namespace

bool read_stamp(std::string_view value, Stamp& stamp) {
  if (value.size() < sizeof(stamp)) return false;
  std::memcpy(&stamp, value.data(), sizeof(stamp));
  return true;
}

std::string key_name(char group, uint64_t number) {
  std::string text = std::to_string(number);
  return std::string(1, group) + "/" + std::string(digits - text.size(), '0') + text;
}

bool read_key(std::string_view key, char& group, uint64_t& number) {
  if (key.size() != digits + 2 || key[1] != '/') return false;
  group = key[0];
  return std::from_chars(key.data() + 2, key.data() + key.size(), number).ec == std::errc();
}

// The transactions of one hundred keys, one at a time.
class Writer::Slot : public load::Call {
 public:
  Slot(Writer& writer, char group, uint64_t first_key, uint64_t first, uint64_t rounds)
      : writer_(writer), group_(group), first_key_(first_key), next_(first), end_(first + rounds) {}

  void start() {
    ++writer_.busy_;
    writer_.connection_.start(*this, load::txn_path,
                              writer_.transaction(group_, first_key_, next_++), false);
  }
  void on_message(std::string_view message) override {
    load::TxnAnswer answer;
    if (!load::decode_txn(message, answer)) writer_.error_ = "a transaction does not decode";
    writer_.revision_ = std::max(writer_.revision_, answer.revision);
  }
  void on_end(int grpc_status, std::string_view grpc_message) override {
    --writer_.busy_;
    if (grpc_status != 0) writer_.error_ = "a write failed: " + std::string(grpc_message);
    if (next_ < end_ && writer_.error_.empty()) start();
  }

 private:
  Writer& writer_;
  char group_;
  uint64_t first_key_;
  uint64_t next_;
  uint64_t end_;
};

Writer::Writer(load::Client& client, load::Connection& connection, uint64_t value_size)
    : client_(client), connection_(connection) {
  std::mt19937_64 random(1);  // NOLINT(cert-msc51-cpp): equal noise in every run is wanted
  filler_.resize(value_size - sizeof(Stamp));
  for (char& c : filler_) c = static_cast<char>(random());
}

std::string Writer::transaction(char group, uint64_t first_key, uint64_t number) const {
  load::TxnOfPuts txn;
  const Stamp stamp{number, load::now_ns()};
  std::string value(sizeof(stamp), '\0');
  std::memcpy(value.data(), &stamp, sizeof(stamp));
  value += filler_;
  for (uint64_t i = 0; i < keys_per_txn; ++i) txn.add(key_name(group, first_key + i), value);
  std::string body;
  txn.finish(body);
  return body;
}

bool Writer::write(char group, uint64_t keys, uint64_t first, uint64_t rounds) {
  std::vector<std::unique_ptr<Slot>> slots;
  for (uint64_t key = 0; key < keys; key += keys_per_txn) {
    slots.push_back(std::make_unique<Slot>(*this, group, key, first, rounds));
    slots.back()->start();
  }
  if (!client_.run_until([&] { return busy_ == 0; })) error_ = client_.error();
  return error_.empty();
}

bool Writer::compact() {
  etcdserverpb::CompactionRequest request;
  request.set_revision(revision_);
  std::string body;
  {
    const load::GrpcFrame frame(body);
    request.AppendToString(&body);
  }
  std::string answer;
  if (client_.call(connection_, compact_path, std::move(body), answer)) return true;
  error_ = "compact: " + answer;
  return false;
}

}  // namespace lattice::crowd
