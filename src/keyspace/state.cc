#include "keyspace/state.h"

namespace lattice::keyspace {

const KvRecord* State::live_at(std::string_view key, Revision revision) const {
  const KeyHistory* of_key = index.find(key);
  return of_key == nullptr ? nullptr : live_in(*of_key, revision);
}

const KvRecord* State::live_at(std::string_view key, Revision revision,
                               const KeyHistory* place) const {
  if (place == nullptr || place->key() != key) return live_at(key, revision);
  return live_in(*place, revision);
}

void State::push(KeyHistory* of_key, KvRef version) {
  const KvRecord& added = *version;
  LeaseId from;
  version_bytes += added.footprint();
  stored_bytes += stored_size(added);
  if (of_key == nullptr) {
    index.insert(std::move(version));
  } else {
    const KvRecord* replaced = of_key->newest();
    from = replaced->lease();
    replaced->superseded_at_ = added.mod_revision();
    index.push(of_key, std::move(version));
  }
  leased.move(added.key(), from, added.lease());
}

void State::pop_newest(const KvRecord& version) {
  const KvRef alive = KvRef::share(&version);
  index.pop_newest(version.key());
  version_bytes -= version.footprint();
  stored_bytes -= stored_size(version);
  LeaseId to;
  if (const KeyHistory* of_key = index.find(version.key()); of_key != nullptr) {
    to = of_key->newest()->lease();
    of_key->newest()->superseded_at_ = KvRecord::not_superseded;
  }
  leased.move(version.key(), version.lease(), to);
}

void State::pop_oldest(const KvRecord& version) {
  version_bytes -= version.footprint();
  stored_bytes -= stored_size(version);
  index.pop_oldest(version.key());
}

}  // namespace lattice::keyspace
