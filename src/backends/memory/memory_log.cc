#include "backends/memory/memory_data.h"
#include "replica/record_bytes.h"

namespace lattice::backends {
namespace {

using replica::AppendOutcome;
using replica::AppendReply;
using replica::Batch;
using replica::BatchHeader;

constexpr size_t load_chunk_batches = 1024;

int64_t stored_bytes(const keyspace::Record& record) {
  return static_cast<int64_t>(replica::record_head_bytes + record.key.size() + record.value.size());
}

class MemoryLog final : public replica::Log {
 public:
  MemoryLog(std::shared_ptr<MemoryStore::LogData> data, replica::Environment& environment)
      : data_(std::move(data)), environment_(environment) {}

  const replica::LogId& id() const override { return data_->id; }
  bool exclusive() const override { return data_->exclusive; }

  void load(Seq after, OnBatch on_batch, StatusCallback done) override {
    defer([this, after, on_batch = std::move(on_batch), done = std::move(done)]() mutable {
      load_chunk(after, std::move(on_batch), std::move(done));
    });
  }

  void append(std::shared_ptr<const Batch> batch,
              absl::AnyInvocable<void(AppendReply)> done) override {
    defer([this, batch = std::move(batch), done = std::move(done)]() mutable {
      AppendReply reply;
      reply.outcome = insert(*batch) ? AppendOutcome::committed : AppendOutcome::rejected;
      done(std::move(reply));
    });
  }

  void look(Seq seq, Callback<LookReply> done) override {
    defer([this, seq, done = std::move(done)]() mutable {
      LookReply reply;
      const auto& batches = data_->batches;
      if (!batches.empty()) {
        reply.oldest = batches.begin()->second.header.seq;
        reply.newest = batches.rbegin()->second.header.seq;
      }
      if (auto found = batches.find(seq.value); found != batches.end()) {
        reply.header = found->second.header;
      }
      done(reply);
    });
  }

  void head(Callback<replica::LogHead> done) override {
    defer([this, done = std::move(done)]() mutable {
      replica::LogHead head;
      if (!data_->batches.empty()) head.newest = data_->batches.rbegin()->second.header;
      head.epoch = head.newest.epoch;
      head.leader = head.newest.incarnation;
      done(head);
    });
  }

  void barrier(StatusCallback done) override {
    defer([done = std::move(done)]() mutable { done(Status()); });
  }

  void remove(std::vector<keyspace::RecordId> records, StatusCallback done) override {
    defer([this, records = std::move(records), done = std::move(done)]() mutable {
      for (const keyspace::RecordId& id : records) {
        auto batch = data_->batches.find(id.seq.value);
        if (batch == data_->batches.end()) continue;
        auto record = batch->second.records.find(id.index);
        if (record == batch->second.records.end()) continue;
        data_->bytes -= stored_bytes(record->second);
        batch->second.records.erase(record);
      }
      done(Status());
    });
  }

  void trim(Seq below, StatusCallback done) override {
    defer([this, below, done = std::move(done)]() mutable {
      auto& batches = data_->batches;
      for (auto it = batches.begin(); it != batches.end() && it->first < below.value;) {
        const bool newest = std::next(it) == batches.end();
        if (newest || !it->second.records.empty()) {
          ++it;
        } else {
          data_->bytes -= static_cast<int64_t>(sizeof(BatchHeader));
          it = batches.erase(it);
        }
      }
      done(Status());
    });
  }

  void size(Callback<replica::LogSize> done) override {
    defer([this, done = std::move(done)]() mutable {
      done(replica::LogSize{data_->bytes, data_->bytes});
    });
  }

  void defragment(StatusCallback done) override { barrier(std::move(done)); }

 private:
  // Runs `task` at the end of the turn unless this log is gone by then.
  template <class Task>
  void defer(Task task) {
    environment_.defer([alive = std::weak_ptr<bool>(alive_), task = std::move(task)]() mutable {
      if (!alive.expired()) task();
    });
  }

  bool insert(const Batch& batch) {
    const BatchHeader& header = batch.header;
    auto& batches = data_->batches;
    const replica::BatchHeader newest =
        batches.empty() ? BatchHeader{} : batches.rbegin()->second.header;
    if (newest.seq + 1 != header.seq || newest.digest != header.previous) return false;
    MemoryStore::LogData::StoredBatch stored{header, {}};
    data_->bytes += static_cast<int64_t>(sizeof(BatchHeader));
    for (uint32_t i = 0; i < batch.records.size(); ++i) {
      const keyspace::Record& record = batch.records[i];
      data_->bytes += stored_bytes(record);
      stored.records.emplace_hint(stored.records.end(), i, record);
    }
    batches.emplace_hint(batches.end(), header.seq.value, std::move(stored));
    return true;
  }

  void load_chunk(Seq after, OnBatch on_batch, StatusCallback done) {
    // Copied first: a callback may end this log, or append to it.
    std::vector<LoadedBatch> chunk;
    auto it = data_->batches.upper_bound(after.value);
    for (; it != data_->batches.end() && chunk.size() < load_chunk_batches; ++it) {
      LoadedBatch loaded;
      loaded.header = it->second.header;
      loaded.seq = it->second.header.seq;
      for (const auto& [index, record] : it->second.records) {
        loaded.indexes.push_back(index);
        loaded.records.push_back(record);
      }
      chunk.push_back(std::move(loaded));
    }
    const bool last = it == data_->batches.end();
    const std::weak_ptr<bool> alive = alive_;
    for (LoadedBatch& loaded : chunk) {
      after = loaded.seq;
      on_batch(std::move(loaded));
      if (alive.expired()) return;
    }
    if (last) {
      done(Status());
    } else {
      load(after, std::move(on_batch), std::move(done));
    }
  }

  std::shared_ptr<MemoryStore::LogData> data_;
  replica::Environment& environment_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

std::unique_ptr<replica::Log> make_memory_log(std::shared_ptr<MemoryStore::LogData> data,
                                              replica::Environment& environment) {
  return std::make_unique<MemoryLog>(std::move(data), environment);
}

}  // namespace lattice::backends
