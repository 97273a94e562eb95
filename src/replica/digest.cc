#include <cstring>

#include "base/big_endian.h"
#include "base/sha256.h"
#include "replica/batch.h"
#include "replica/record_bytes.h"

namespace lattice::replica {
namespace {

// SHA-256 behind a small buffer: each update of the hash costs a call through two of OpenSSL's
// tables, which for records of a few dozen bytes is as much as the hashing.
class DigestWriter {
 public:
  void bytes(std::string_view data) {
    if (data.empty()) return;
    if (data.size() > sizeof(buffer_) - used_) {
      flush();
      if (data.size() > sizeof(buffer_)) {
        hash_.update(data);
        return;
      }
    }
    std::memcpy(buffer_ + used_, data.data(), data.size());
    used_ += data.size();
  }
  template <class Array>
  void array(const Array& data) {
    bytes({reinterpret_cast<const char*>(data.data()), data.size()});
  }
  template <class T>
  void number(T value) {
    char big_endian[sizeof(T)];
    write_big_endian(value, big_endian);
    bytes({big_endian, sizeof(big_endian)});
  }
  Digest finish() {
    flush();
    return hash_.finish();
  }

 private:
  void flush() {
    hash_.update({buffer_, used_});
    used_ = 0;
  }

  Sha256 hash_;
  char buffer_[2048];
  size_t used_ = 0;
};

}  // namespace

Digest compute_digest(const LogId& log, const BatchHeader& header,
                      const std::vector<keyspace::Record>& records) {
  DigestWriter writer;
  writer.array(header.previous);
  writer.array(log);
  writer.number(header.seq.value);
  writer.number(header.epoch.value);
  writer.array(header.incarnation);
  writer.array(header.id);
  writer.number(header.last_revision.value);
  writer.number(header.record_count);
  for (const keyspace::Record& record : records) {
    char head[record_head_bytes];
    write_record_head(record, head);
    writer.bytes({head, sizeof(head)});
    writer.bytes(record.key.view());
    writer.bytes(record.value.view());
  }
  return writer.finish();
}

}  // namespace lattice::replica
