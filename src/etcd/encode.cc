#include "etcd/encode.h"

#include "absl/container/inlined_vector.h"
#include "etcd/chain_writer.h"

namespace lattice::etcd {
namespace {

using keyspace::DeleteRangeResult;
using keyspace::KvRecord;
using keyspace::KvRef;
using keyspace::PutResult;
using keyspace::RangeResult;
using keyspace::TxnResult;

// The first pass over a response: how many bytes of it will be copied, and how long each nested
// message is, in the order in which the second pass meets them.
class Measure {
 public:
  size_t total() const { return copied_ + spliced_; }
  size_t copied() const { return copied_; }

  void copy(size_t size) { copied_ += size; }
  void splice(size_t size) { spliced_ += size; }
  // Reserves the place of a nested message's length; close() fills it.
  size_t open() {
    lengths_.push_back(total());
    return lengths_.size() - 1;
  }
  // Ends the nested message and counts its one-byte tag and its length.
  void close(size_t place) {
    lengths_[place] = total() - lengths_[place];
    copy(1 + varint_size(lengths_[place]));
  }
  // For the second pass.
  size_t next_length() { return lengths_[next_++]; }

 private:
  size_t copied_ = 0;
  size_t spliced_ = 0;
  absl::InlinedVector<size_t, 8> lengths_;
  size_t next_ = 0;
};

// ---- ResponseHeader ----

void measure_header(const Header& header, Revision revision, Measure* m) {
  m->copy(length_delimited_size(header_size(header, revision)));
}

void write_header(const Header& header, Revision revision, ChainWriter* out) {
  out->length_prefix(1, header_size(header, revision));
  out->copy(header.identity.header_prefix());
  out->number(3, static_cast<uint64_t>(revision.value));
  out->number(4, header.raft_term);
}

// Inner responses of a transaction carry the revision alone. The header may be absent altogether
// (RangeStream chunks).
void measure_inner_header(Revision revision, Measure* m) {
  m->copy(length_delimited_size(number_field_size(static_cast<uint64_t>(revision.value))));
}
void write_inner_header(Revision revision, ChainWriter* out) {
  out->length_prefix(1, number_field_size(static_cast<uint64_t>(revision.value)));
  out->number(3, static_cast<uint64_t>(revision.value));
}

// ---- Key-values ----

// As field 2, the number under which most messages carry one.
void measure_kv(const KvRecord& kv, Measure* m) {
  size_t size = kv.encoded_as_field_2_view().size();
  size < splice_bytes_min ? m->copy(size) : m->splice(size);
}
void write_kv(const KvRecord& kv, ChainWriter* out) {
  std::string_view view = kv.encoded_as_field_2_view();
  view.size() < splice_bytes_min ? out->copy(view) : out->splice(kv.encoded_as_field_2());
}

// Under any other number below 16.
void measure_kv_as(const KvRecord& kv, Measure* m) {
  size_t size = kv.encoded_view().size();
  m->copy(1 + varint_size(size));
  size < splice_bytes_min ? m->copy(size) : m->splice(size);
}
void write_kv_as(uint32_t field, const KvRecord& kv, ChainWriter* out) {
  std::string_view view = kv.encoded_view();
  out->length_prefix(field, view.size());
  view.size() < splice_bytes_min ? out->copy(view) : out->splice(kv.encoded());
}

size_t keys_only_size(const KvRecord& kv, bool with_lease) {
  return (kv.key().empty() ? 0 : length_delimited_size(kv.key().size())) +
         number_field_size(static_cast<uint64_t>(kv.create_revision().value)) +
         number_field_size(static_cast<uint64_t>(kv.mod_revision().value)) +
         number_field_size(static_cast<uint64_t>(kv.version())) +
         (with_lease ? number_field_size(static_cast<uint64_t>(kv.lease().value)) : 0);
}
void write_keys_only(const KvRecord& kv, bool with_lease, ChainWriter* out) {
  out->length_prefix(2, keys_only_size(kv, with_lease));
  if (!kv.key().empty()) {
    out->length_prefix(1, kv.key().size());
    out->copy(kv.key());
  }
  out->number(2, static_cast<uint64_t>(kv.create_revision().value));
  out->number(3, static_cast<uint64_t>(kv.mod_revision().value));
  out->number(4, static_cast<uint64_t>(kv.version()));
  if (with_lease) out->number(6, static_cast<uint64_t>(kv.lease().value));
}

// ---- Response bodies, without their headers ----

void measure_body(const RangeResult& result, Measure* m) {
  for (const KvRef& kv : result.kvs) {
    if (result.keys_only) {
      m->copy(length_delimited_size(keys_only_size(*kv, result.keys_only_with_lease)));
    } else {
      measure_kv(*kv, m);
    }
  }
  m->copy(number_field_size(result.more) + number_field_size(static_cast<uint64_t>(result.count)));
}
void write_body(const RangeResult& result, ChainWriter* out) {
  for (const KvRef& kv : result.kvs) {
    result.keys_only ? write_keys_only(*kv, result.keys_only_with_lease, out) : write_kv(*kv, out);
  }
  out->boolean(3, result.more);
  out->number(4, static_cast<uint64_t>(result.count));
}

void measure_body(const PutResult& result, Measure* m) {
  if (result.prev) measure_kv(*result.prev, m);
}
void write_body(const PutResult& result, ChainWriter* out) {
  if (result.prev) write_kv(*result.prev, out);
}

void measure_body(const DeleteRangeResult& result, Measure* m) {
  m->copy(number_field_size(static_cast<uint64_t>(result.deleted)));
  for (const KvRef& kv : result.prevs) measure_kv_as(*kv, m);
}
void write_body(const DeleteRangeResult& result, ChainWriter* out) {
  out->number(2, static_cast<uint64_t>(result.deleted));
  for (const KvRef& kv : result.prevs) write_kv_as(3, *kv, out);
}

void measure_body(const TxnResult& result, Measure* m);
void write_body(const TxnResult& result, Measure* m, ChainWriter* out);

// One ResponseOp: field 3 of TxnResponse, with one arm. A nested transaction's header is there but
// empty (etcd-v3.md 1.5).
void measure_op(const keyspace::ResponseOp& op, Measure* m) {
  size_t outer = m->open();
  size_t inner = m->open();
  if (const auto* nested = std::get_if<std::unique_ptr<TxnResult>>(&op)) {
    m->copy(length_delimited_size(0));
    measure_body(**nested, m);
  } else if (const auto* range = std::get_if<RangeResult>(&op)) {
    measure_inner_header(range->header_revision, m);
    measure_body(*range, m);
  } else if (const auto* put = std::get_if<PutResult>(&op)) {
    measure_inner_header(put->header_revision, m);
    measure_body(*put, m);
  } else if (const auto* erase = std::get_if<DeleteRangeResult>(&op)) {
    measure_inner_header(erase->header_revision, m);
    measure_body(*erase, m);
  }
  m->close(inner);
  m->close(outer);
}

void write_op(const keyspace::ResponseOp& op, Measure* m, ChainWriter* out) {
  out->length_prefix(3, m->next_length());
  size_t inner = m->next_length();
  if (const auto* nested = std::get_if<std::unique_ptr<TxnResult>>(&op)) {
    out->length_prefix(4, inner);
    out->length_prefix(1, 0);
    write_body(**nested, m, out);
  } else if (const auto* range = std::get_if<RangeResult>(&op)) {
    out->length_prefix(1, inner);
    write_inner_header(range->header_revision, out);
    write_body(*range, out);
  } else if (const auto* put = std::get_if<PutResult>(&op)) {
    out->length_prefix(2, inner);
    write_inner_header(put->header_revision, out);
    write_body(*put, out);
  } else if (const auto* erase = std::get_if<DeleteRangeResult>(&op)) {
    out->length_prefix(3, inner);
    write_inner_header(erase->header_revision, out);
    write_body(*erase, out);
  }
}

void measure_body(const TxnResult& result, Measure* m) {
  m->copy(number_field_size(result.succeeded));
  for (const keyspace::ResponseOp& op : result.responses) measure_op(op, m);
}
void write_body(const TxnResult& result, Measure* m, ChainWriter* out) {
  out->boolean(2, result.succeeded);
  for (const keyspace::ResponseOp& op : result.responses) write_op(op, m, out);
}

template <class Response>
ByteChain encode_flat(const Header& header, const Response& result) {
  Measure m;
  measure_header(header, result.header_revision, &m);
  measure_body(result, &m);
  ChainWriter out(m.copied());
  write_header(header, result.header_revision, &out);
  write_body(result, &out);
  return out.finish();
}

}  // namespace

size_t header_size(const Header& header, Revision revision) {
  return header.identity.header_prefix().size() +
         number_field_size(static_cast<uint64_t>(revision.value)) +
         number_field_size(header.raft_term);
}

ByteChain encode(const Header& header, const RangeResult& result) {
  return encode_flat(header, result);
}
ByteChain encode(const Header& header, const PutResult& result) {
  return encode_flat(header, result);
}
ByteChain encode(const Header& header, const DeleteRangeResult& result) {
  return encode_flat(header, result);
}

ByteChain encode(const Header& header, const TxnResult& result) {
  Measure m;
  measure_header(header, result.header_revision, &m);
  measure_body(result, &m);
  ChainWriter out(m.copied());
  write_header(header, result.header_revision, &out);
  write_body(result, &m, &out);
  return out.finish();
}

ByteChain encode_rest(const RangeResult& result) {
  Measure m;
  measure_body(result, &m);
  ChainWriter out(m.copied());
  write_body(result, &out);
  return out.finish();
}

ByteChain encode_stream_chunk(const RangeResult& result) {
  Measure m;
  size_t body = m.open();
  measure_body(result, &m);
  m.close(body);
  ChainWriter out(m.copied());
  out.length_prefix(1, m.next_length());
  write_body(result, &out);
  return out.finish();
}

ByteChain encode_stream_end(const Header& header, const RangeResult& result) {
  Measure m;
  size_t body = m.open();
  measure_header(header, result.header_revision, &m);
  measure_body(result, &m);
  m.close(body);
  ChainWriter out(m.copied());
  out.length_prefix(1, m.next_length());
  write_header(header, result.header_revision, &out);
  write_body(result, &out);
  return out.finish();
}

ByteChain encode_header_only(const Header& header, Revision revision) {
  Measure m;
  measure_header(header, revision, &m);
  ChainWriter out(m.copied());
  write_header(header, revision, &out);
  return out.finish();
}

}  // namespace lattice::etcd
