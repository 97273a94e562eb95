#include "etcd/key_watch.h"

namespace lattice::etcd {

void KeyWatch::start(replica::Api& api, replica::WatchCreate create) {
  stream_ = api.open_watch_stream(*this);
  stream_->create(std::move(create));
}

void KeyWatch::retire(replica::Environment& environment, std::unique_ptr<KeyWatch> watch) {
  if (watch == nullptr) return;
  watch->retired_ = true;
  environment.defer([shared = std::shared_ptr<KeyWatch>(std::move(watch))] {});
}

void KeyWatch::on_created(WatchId, Revision, replica::WatchRefusal refusal) {
  switch (refusal) {
    case replica::WatchRefusal::none:
      return;
    case replica::WatchRefusal::permission_denied:
      return lose(Error::permission_denied);
    case replica::WatchRefusal::user_empty:
      return lose(Error::user_empty);
    case replica::WatchRefusal::invalid_auth_token:
      return lose(Error::invalid_auth_token);
    case replica::WatchRefusal::auth_old_revision:
      return lose(Error::auth_old_revision);
    case replica::WatchRefusal::not_linearizable:
      return lose(Error::linearizability_unavailable);
    case replica::WatchRefusal::compacted:
    case replica::WatchRefusal::empty_range:
    case replica::WatchRefusal::duplicate_id:
      return lose(Error::compacted);
  }
}

void KeyWatch::on_events(WatchId, Revision header, bool, replica::WatchEvents events) {
  if (retired_) return;
  // Nothing is buffered behind this watch: its credit comes back at once.
  stream_->consumed(replica::encoded_size(*events));
  on_events_(header, *events);
}

void KeyWatch::on_compacted(WatchId, Revision) { lose(Error::compacted); }

void KeyWatch::on_closed(Status status) { lose(std::move(status)); }

void KeyWatch::lose(Status status) {
  if (!retired_) on_lost_(std::move(status));
}

std::string prefix_end(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xff') prefix.pop_back();
  if (prefix.empty()) return std::string(1, '\0');
  prefix.back() = static_cast<char>(static_cast<uint8_t>(prefix.back()) + 1);
  return prefix;
}

}  // namespace lattice::etcd
