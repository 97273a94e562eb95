#include "sim/watch_client.h"

#include <algorithm>
#include <string>
#include <utility>

namespace lattice::sim {
namespace {
constexpr int64_t millisecond = 1'000'000;
}  // namespace

using replica::WatchCreate;

WatchClient::WatchClient(SimWorld& world, std::vector<std::unique_ptr<Node>>& nodes,
                         History& history, Probes& probes)
    : world_(world), nodes_(nodes), history_(history), probes_(probes) {
  Rng& rng = world.rng();
  const char* const ranges[][2] = {{"a", "c"}, {"a", ""}, {"b", "z"}, {"a", "z"}, {"d", "g"}};
  const auto& range = ranges[rng.below(5)];
  range_ = {range[0], range[1]};
  prev_kv_ = rng.chance(50);
  filter_ = static_cast<int>(rng.below(6));
  lazy_ = rng.chance(30);
}

void WatchClient::connect_later() {
  world_.at(world_.rng().between(millisecond, 200 * millisecond), [this] { connect(); });
}

void WatchClient::connect() {
  if (open_) return;
  node_ = nodes_[world_.rng().below(nodes_.size())].get();
  if (!node_->running() || node_->stopping() || node_->process().paused()) return connect_later();
  node_life_ = node_->life();
  open_ = true;
  outstanding_ = 0;
  const uint64_t number = ++connection_;
  WatchCreate create;
  create.range = range_;
  create.start_revision = Revision(next_);
  create.prev_kv = prev_kv_;
  create.progress_notify = true;
  create.no_put = filter_ == 1;
  create.no_delete = filter_ == 2;
  history_.watches.emplace_back();
  run_ = &history_.watches.back();
  run_->spec = create;
  run_->called = world_.now();
  stream_ = node_->replica()->open_watch_stream(*this);
  stream_->create(create);
  look_after(number);
}

// Notices a crash, asks for progress, and sometimes goes away by itself.
void WatchClient::look_after(uint64_t number) {
  world_.at(world_.rng().between(20 * millisecond, 300 * millisecond), [this, number] {
    if (!open_ || number != connection_) return;
    if (node_->life() != node_life_) return lose();
    if (world_.rng().chance(2)) {
      probes_.hit("sim: a watcher left and came back");
      return lose();
    }
    if (!node_->process().paused() && stream_ != nullptr) stream_->request_progress();
    look_after(number);
  });
}

void WatchClient::lose() {
  open_ = false;
  run_ = nullptr;
  stream_.reset();
  connect_later();
}

WatchRun::Entry& WatchClient::note(WatchRun::Entry::Kind kind, int64_t header) {
  run_->entries.push_back({kind, world_.now(), header, {}});
  world_.mix(static_cast<uint64_t>(header));
  return run_->entries.back();
}

void WatchClient::on_created(WatchId, Revision header, replica::WatchRefusal) {
  note(WatchRun::Entry::created, header.value);
  if (next_ == 0) next_ = header.value + 1;
}

void WatchClient::on_events(WatchId, Revision header, bool, replica::WatchEvents events) {
  WatchRun::Entry& entry = note(WatchRun::Entry::events, header.value);
  for (const replica::WatchEvent& event : *events) {
    const keyspace::KvRecord& kv = *event.kv;
    WatchRun::Event seen{kv.mod_revision().value,
                         kv.sub(),
                         kv.tombstone(),
                         std::string(kv.key()),
                         std::string(kv.value()),
                         kv.create_revision().value,
                         kv.version(),
                         static_cast<bool>(event.prev),
                         {},
                         0};
    if (event.prev) {
      seen.prev_value = event.prev->value();
      seen.prev_mod = event.prev->mod_revision().value;
    }
    next_ = std::max(next_, seen.revision + 1);
    entry.list.push_back(std::move(seen));
  }
  outstanding_ += encoded_size(*events);
  run_->outstanding_max = std::max(run_->outstanding_max, outstanding_);
  consume_later(encoded_size(*events));
}

void WatchClient::consume_later(size_t bytes) {
  const int64_t delay =
      lazy_ ? world_.rng().between(0, 3000 * millisecond) : world_.rng().between(0, millisecond);
  world_.at(delay, [this, bytes, number = connection_] {
    if (!open_ || number != connection_ || node_->life() != node_life_) return;
    outstanding_ -= bytes;
    stream_->consumed(bytes);
  });
}

void WatchClient::on_progress(WatchId id, Revision header) {
  const int64_t revision = header.value;
  note(id == WatchId(-1) ? WatchRun::Entry::stream_progress : WatchRun::Entry::progress, revision);
  probes_.hit(id == WatchId(-1) ? "sim: progress on request" : "sim: progress by itself");
  next_ = std::max(next_, revision + 1);
}

void WatchClient::on_compacted(WatchId, Revision compact_revision) {
  note(WatchRun::Entry::compacted, compact_revision.value);
  probes_.hit("sim: a watch was compacted");
  next_ = compact_revision.value;
  world_.at(millisecond, [this, number = connection_] {
    if (open_ && number == connection_) lose();
  });
}

void WatchClient::on_closed(Status) {
  probes_.hit("sim: a watch stream was closed");
  world_.at(0, [this, number = connection_] {
    if (open_ && number == connection_) lose();
  });
}

void WatchClient::finish() {
  if (open_ && run_ != nullptr && !run_->entries.empty() &&
      run_->entries.back().kind != WatchRun::Entry::compacted) {
    run_->open_at_end = true;
  }
  open_ = false;
  stream_.reset();
}

}  // namespace lattice::sim
