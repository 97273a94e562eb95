#include "replica/fan_message.h"

#include <cstdint>
#include <cstring>

#include "base/big_endian.h"
#include "base/planted.h"
#include "replica/record_bytes.h"

namespace lattice::replica {
namespace {

constexpr std::string_view magic = "LF1";
constexpr std::string_view purpose = "lattice fan-out 1";
constexpr uint8_t flag_batch = 1;
constexpr uint8_t flag_leaving = 2;

template <class Array>
void put_array(std::string* out, const Array& array) {
  out->append(reinterpret_cast<const char*>(array.data()), array.size());
}

// Takes values off the front; once something was missing, everything is.
class Taker {
 public:
  explicit Taker(std::string_view bytes) : rest_(bytes) {}
  template <class T>
  T number() {
    return static_cast<T>(read_big_endian(take(sizeof(T))));
  }
  template <class Array>
  void array(Array* out) {
    const std::string_view bytes = take(out->size());
    if (ok_) std::memcpy(out->data(), bytes.data(), bytes.size());
  }
  std::string_view take(size_t size) {
    if (rest_.size() < size) {
      ok_ = false;
      return {};
    }
    const std::string_view front = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return front;
  }
  std::string_view& rest() { return rest_; }
  bool ok() const { return ok_; }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

size_t payload_bytes(const Batch& batch) {
  size_t bytes = 0;
  for (const keyspace::Record& record : batch.records) {
    bytes += record_head_bytes + record.key.size() + record.value.size();
    if (bytes > fan_message_bytes_max) break;
  }
  return bytes;
}

void put_batch(std::string* out, const Batch& batch) {
  const BatchHeader& header = batch.header;
  put_array(out, header.previous);
  append_big_endian(header.epoch.value, out);
  put_array(out, header.incarnation);
  put_array(out, header.id);
  append_big_endian(header.last_revision.value, out);
  append_big_endian(header.record_count, out);
  for (const keyspace::Record& record : batch.records) append_record_bytes(record, out);
}

std::optional<Batch> take_batch(Taker* in, const Position& position) {
  Batch batch;
  BatchHeader& header = batch.header;
  header.seq = position.seq;
  header.digest = position.digest;
  in->array(&header.previous);
  header.epoch = Epoch(in->number<uint64_t>());
  in->array(&header.incarnation);
  in->array(&header.id);
  header.last_revision = Revision(in->number<int64_t>());
  header.record_count = in->number<uint32_t>();
  if (!in->ok()) return std::nullopt;
  while (!in->rest().empty()) {
    Result<keyspace::Record> record = take_record_bytes(&in->rest());
    if (!record.ok()) return std::nullopt;
    batch.records.push_back(std::move(*record));
  }
  if (batch.records.size() != header.record_count) return std::nullopt;
  return batch;
}

}  // namespace

std::string encode_fan_message(const Keyring& keyring, const LogId& log, const Position& announced,
                               const Batch* batch, bool leaving) {
  const size_t payload = batch == nullptr ? 0 : payload_bytes(*batch);
  const bool with_batch = batch != nullptr && payload <= fan_message_bytes_max;
  std::string body;
  body.reserve(160 + (with_batch ? payload : 0));
  put_array(&body, log);
  body += static_cast<char>((with_batch ? flag_batch : 0) | (leaving ? flag_leaving : 0));
  append_big_endian(announced.seq.value, &body);
  put_array(&body, announced.digest);
  if (with_batch) put_batch(&body, *batch);
  const Keyring::Mac mac = keyring.sign(purpose, body);
  std::string message;
  message.reserve(magic.size() + sizeof(mac.key_id) + mac.digest.size() + body.size());
  message.append(magic);
  append_big_endian(mac.key_id, &message);
  put_array(&message, mac.digest);
  message.append(body);
  return message;
}

std::optional<FanMessage> decode_fan_message(const Keyring& keyring, const LogId& log,
                                             std::string_view bytes) {
  Taker in(bytes);
  if (in.take(magic.size()) != magic) return std::nullopt;
  Keyring::Mac mac;
  mac.key_id = in.number<uint32_t>();
  in.array(&mac.digest);
  const bool verified = keyring.verify(purpose, in.rest(), mac);
  if (!in.ok() || (!verified && !planted(Planted::fanout_unverified))) return std::nullopt;
  LogId whose{};
  in.array(&whose);
  const auto flags = in.number<uint8_t>();
  FanMessage message;
  message.announced.seq = Seq(in.number<uint64_t>());
  in.array(&message.announced.digest);
  if (!in.ok() || whose != log) return std::nullopt;
  message.leaving = (flags & flag_leaving) != 0;
  if ((flags & flag_batch) != 0) {
    message.batch = take_batch(&in, message.announced);
    if (!message.batch) return std::nullopt;
  }
  return message;
}

}  // namespace lattice::replica
