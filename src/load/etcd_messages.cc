#include "load/etcd_messages.h"

#include "load/wire.h"

namespace lattice::load {
namespace {

size_t put_size(std::string_view key, std::string_view value) {
  return WireWriter::bytes_field_size(key.size()) + WireWriter::bytes_field_size(value.size());
}

void write_put(std::string& out, std::string_view key, std::string_view value) {
  WireWriter writer(out);
  writer.bytes(1, key);
  writer.bytes(2, value);
}

}  // namespace

GrpcFrame::GrpcFrame(std::string& out) : out_(out), start_(out.size()) {
  out_.append(frame_prefix, '\0');
}

GrpcFrame::~GrpcFrame() {
  const size_t length = out_.size() - start_ - frame_prefix;
  for (size_t i = 0; i < 4; ++i) {
    out_[start_ + 1 + i] = static_cast<char>(length >> (24 - 8 * i));
  }
}

void encode_put(std::string& out, std::string_view key, std::string_view value) {
  GrpcFrame frame(out);
  write_put(out, key, value);
}

void encode_range(std::string& out, std::string_view key, std::string_view range_end,
                  int64_t limit) {
  GrpcFrame frame(out);
  WireWriter writer(out);
  writer.bytes(1, key);
  if (!range_end.empty()) writer.bytes(2, range_end);
  writer.number(3, static_cast<uint64_t>(limit));
}

void encode_update(std::string& out, std::string_view key, std::string_view value,
                   int64_t mod_revision) {
  constexpr uint64_t target_mod = 2;
  std::string compare;
  WireWriter compare_writer(compare);
  compare_writer.number(2, target_mod);
  compare_writer.bytes(3, key);
  // The arm of the union must be there even when the revision is 0.
  compare_writer.varint(6 << 3);
  compare_writer.varint(static_cast<uint64_t>(mod_revision));
  std::string put;
  write_put(put, key, value);
  std::string success;
  WireWriter(success).bytes(2, put);
  std::string range;
  WireWriter(range).bytes(1, key);
  std::string failure;
  WireWriter(failure).bytes(1, range);
  GrpcFrame frame(out);
  WireWriter writer(out);
  writer.bytes(1, compare);
  writer.bytes(2, success);
  writer.bytes(3, failure);
}

void encode_watch_create(std::string& out, std::string_view key) {
  GrpcFrame frame(out);
  std::string create;
  WireWriter(create).bytes(1, key);
  WireWriter(out).bytes(1, create);
}

void encode_watch_cancel(std::string& out, int64_t watch_id) {
  GrpcFrame frame(out);
  std::string cancel;
  WireWriter(cancel).number(1, static_cast<uint64_t>(watch_id));
  WireWriter(out).bytes(2, cancel);
}

void encode_lease_id(std::string& out, int64_t id) {
  GrpcFrame frame(out);
  WireWriter(out).number(1, static_cast<uint64_t>(id));
}

void encode_lease_grant(std::string& out, int64_t id, int64_t ttl_seconds) {
  GrpcFrame frame(out);
  WireWriter writer(out);
  writer.number(1, static_cast<uint64_t>(ttl_seconds));
  writer.number(2, static_cast<uint64_t>(id));
}

void TxnOfPuts::add(std::string_view key, std::string_view value) {
  // TxnRequest.success (2) holds RequestOp.request_put (2) holds PutRequest.
  WireWriter writer(ops_);
  const size_t put = put_size(key, value);
  const size_t op = WireWriter::bytes_field_size(put);
  writer.varint(2 << 3 | 2);
  writer.varint(op);
  writer.varint(2 << 3 | 2);
  writer.varint(put);
  write_put(ops_, key, value);
}

void TxnOfPuts::finish(std::string& out) {
  GrpcFrame frame(out);
  out.append(ops_);
  ops_.clear();
}

bool decode_key_value(std::string_view message, KeyValue& kv) {
  WireReader reader(message);
  WireField field;
  while (reader.next(field)) {
    if (field.number == 1) kv.key = field.bytes;
    if (field.number == 3) kv.mod_revision = static_cast<int64_t>(field.varint);
    if (field.number == 5) kv.value = field.bytes;
  }
  return !reader.failed();
}

bool decode_revision(std::string_view message, int64_t& revision) {
  WireReader reader(message);
  WireField field;
  while (reader.next(field)) {
    if (field.number != 1) continue;
    WireReader header(field.bytes);
    while (header.next(field)) {
      if (field.number == 3) revision = static_cast<int64_t>(field.varint);
    }
    return !header.failed();
  }
  return !reader.failed();
}

bool decode_txn(std::string_view message, TxnAnswer& answer) {
  if (!decode_revision(message, answer.revision)) return false;
  WireReader reader(message);
  WireField field;
  while (reader.next(field)) {
    if (field.number == 2) answer.succeeded = field.varint != 0;
    if (field.number == 3) ++answer.responses;
  }
  return !reader.failed();
}

bool decode_lease(std::string_view message, LeaseAnswer& answer) {
  WireReader reader(message);
  WireField field;
  while (reader.next(field)) {
    if (field.number == 2) answer.id = static_cast<int64_t>(field.varint);
    if (field.number == 3) answer.ttl_seconds = static_cast<int64_t>(field.varint);
  }
  return !reader.failed();
}

}  // namespace lattice::load
