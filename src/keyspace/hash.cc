#include "keyspace/hash.h"

#include "base/crc32c.h"

namespace lattice::keyspace {
namespace {

// The key of etcd's bucket: revision and sub-revision, big-endian, and a mark on tombstones.
struct StoredKey {
  char bytes[18];
  size_t size = 17;

  explicit StoredKey(const KvRecord& version) {
    write(bytes, static_cast<uint64_t>(version.mod_revision().value));
    bytes[8] = '_';
    write(bytes + 9, static_cast<uint64_t>(version.sub()));
    if (version.tombstone()) bytes[size++] = 't';
  }
  static void write(char* out, uint64_t number) {
    for (int i = 0; i < 8; ++i) out[i] = static_cast<char>(number >> (56 - 8 * i));
  }
};

uint32_t extend(uint32_t crc, const KvRecord& version) {
  const StoredKey key(version);
  crc = crc32c_extend(crc, {key.bytes, key.size});
  if (!version.tombstone()) return crc32c_extend(crc, version.encoded().view());
  // etcd stores a tombstone with its key alone; ours carries the revision too, for events.
  const std::string_view encoded = version.encoded().view();
  const std::string_view name = version.key();
  const auto key_field = static_cast<size_t>(name.data() + name.size() - encoded.data());
  return crc32c_extend(crc, encoded.substr(0, key_field));
}

}  // namespace

HashWalk::HashWalk(Revision compact, Revision revision, Kind kind)
    : compact_(compact),
      revision_(revision),
      any_alive_(kind == Kind::compaction),
      crc_(crc32c("key")),
      crc_if_none_alive_(crc_) {}

void HashWalk::add(const KvRecord& version) {
  if (version.mod_revision() > revision_) return;
  const bool alive = version.current_at(revision_) && !version.tombstone();
  any_alive_ = any_alive_ || alive;
  const bool newer = version.mod_revision() > compact_;
  if (alive || newer) crc_ = extend(crc_, version);
  if (any_alive_) return;
  if (newer || (version.superseded_at() > compact_ && !version.tombstone())) {
    crc_if_none_alive_ = extend(crc_if_none_alive_, version);
  }
}

}  // namespace lattice::keyspace
