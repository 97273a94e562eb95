#include "backends/sqlite/sqlite_log.h"

#include <deque>

namespace lattice::backends {
namespace {

class SqliteLog final : public replica::Log {
 public:
  SqliteLog(std::shared_ptr<SqliteEngine> engine, LogInfo info, Post post)
      : engine_(std::move(engine)), info_(info), post_(std::move(post)) {}

  const replica::LogId& id() const override { return info_.id; }
  bool exclusive() const override { return true; }

  void load(Seq after, OnBatch on_batch, StatusCallback done) override {
    auto run = std::make_shared<Load>();
    run->on_batch = std::move(on_batch);
    run->done = std::move(done);
    read_chunk(std::move(run), after);
  }

  void append(std::shared_ptr<const replica::Batch> batch,
              absl::AnyInvocable<void(replica::AppendReply)> done) override {
    engine_->append(info_.log_no, std::move(batch), home<replica::AppendReply>(std::move(done)));
  }
  void look(Seq seq, Callback<LookReply> done) override {
    read<Result<LookReply>>(
        [log_no = info_.log_no, seq](SqliteReader& reader) { return reader.look(log_no, seq); },
        std::move(done));
  }
  void head(Callback<replica::LogHead> done) override {
    read<Result<replica::LogHead>>(
        [log_no = info_.log_no](SqliteReader& reader) { return reader.head(log_no); },
        std::move(done));
  }
  void barrier(StatusCallback done) override {
    engine_->barrier(info_.log_no, home<Status>(std::move(done)));
  }
  void remove(std::vector<keyspace::RecordId> records, StatusCallback done) override {
    engine_->remove(info_.log_no, std::move(records), home<Status>(std::move(done)));
  }
  void trim(Seq below, StatusCallback done) override {
    engine_->trim(info_.log_no, below, home<Status>(std::move(done)));
  }
  void size(Callback<replica::LogSize> done) override {
    read<Result<replica::LogSize>>([](SqliteReader& reader) { return reader.size(); },
                                   std::move(done));
  }
  void defragment(StatusCallback done) override {
    engine_->defragment(home<Status>(std::move(done)));
  }

 private:
  // A load reads one chunk ahead of what the replica is applying. Touched on the log's loop only.
  struct Load {
    OnBatch on_batch;
    StatusCallback done;
  };

  // Wraps `done` so that it runs on the log's loop, and only while the log is there. What `done`
  // holds is destroyed on that loop too.
  template <class T>
  absl::AnyInvocable<void(T)> home(absl::AnyInvocable<void(T)> done) {
    return [post = post_, alive = std::weak_ptr<bool>(alive_),
            done = std::move(done)](T reply) mutable {
      post([alive = std::move(alive), done = std::move(done), reply = std::move(reply)]() mutable {
        if (!alive.expired()) done(std::move(reply));
      });
    };
  }

  template <class T, class Read>
  void read(Read what, absl::AnyInvocable<void(T)> done) {
    engine_->read([what = std::move(what), done = home<T>(std::move(done))](
                      SqliteReader& reader) mutable { done(what(reader)); });
  }

  void read_chunk(std::shared_ptr<Load> run, Seq after) {
    read<Result<SqliteReader::Chunk>>(
        [log_no = info_.log_no, after](SqliteReader& reader) { return reader.load(log_no, after); },
        [this, run = std::move(run)](Result<SqliteReader::Chunk> chunk) mutable {
          take_chunk(std::move(run), std::move(chunk));
        });
  }

  void take_chunk(std::shared_ptr<Load> run, Result<SqliteReader::Chunk> chunk) {
    if (!chunk.ok()) {
      run->done(chunk.status());
      return;
    }
    // The next one is read while the replica applies this one.
    if (!chunk->last) read_chunk(run, chunk->batches.back().seq);
    const std::weak_ptr<bool> alive = alive_;
    for (LoadedBatch& batch : chunk->batches) {
      run->on_batch(std::move(batch));
      if (alive.expired()) return;
    }
    if (chunk->last) run->done(Status());
  }

  std::shared_ptr<SqliteEngine> engine_;
  LogInfo info_;
  Post post_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

std::unique_ptr<replica::Log> make_sqlite_log(std::shared_ptr<SqliteEngine> engine, LogInfo info,
                                              Post post) {
  return std::make_unique<SqliteLog>(std::move(engine), info, std::move(post));
}

}  // namespace lattice::backends
