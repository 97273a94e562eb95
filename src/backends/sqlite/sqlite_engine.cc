#include "backends/sqlite/sqlite_engine.h"

namespace lattice::backends {
namespace {

// In pages of 8 KiB. The reader's thread checkpoints with every 8 MiB, beside the commits. Under a
// load that never pauses the write-ahead log cannot start over that way, as the newest page is
// always missing (a checkpoint after each commit only made one put in flight wait: 299 us at p50
// instead of 231 to 252); from 64 MiB on the writer does what remains itself, which takes it a few
// milliseconds.
constexpr int checkpoint_pages = 1024;
constexpr int checkpoint_now_pages = 8192;

constexpr size_t appends_per_commit = 64;
constexpr size_t removals_per_commit = 512;
constexpr int headers_per_commit = 512;
constexpr int pages_per_shrink = 256;

}  // namespace

Result<std::shared_ptr<SqliteEngine>> SqliteEngine::open(const SqliteOptions& options) {
  auto lock = FolderLock::take(options.folder);
  if (!lock.ok()) return lock.status();
  auto engine = std::make_shared<SqliteEngine>(std::move(*lock));
  auto state = engine->writer_.open(options);
  if (!state.ok()) return state.status();
  engine->cluster_id_ = state->cluster_id;
  Status status = engine->reader_.open(options.folder + "/" + options.file_name, options);
  if (!status.ok()) return status;
  engine->reader_thread_ = std::make_unique<Worker>("sqlite-read");
  engine->writer_thread_ = std::make_unique<Worker>("sqlite-write");
  if (options.fsync == FsyncPolicy::interval) {
    // In SQLite's NORMAL mode a checkpoint is what syncs.
    engine->writer_thread_->every(options.fsync_interval,
                                  [self = engine.get()] { self->writer_.checkpoint(); });
  }
  return engine;
}

Result<LogInfo> SqliteEngine::open_log(std::string_view tenant) {
  Result<LogInfo> info = Error::internal;
  writer_thread_->run([&] { info = writer_.open_log(tenant); });
  return info;
}

Result<std::vector<std::string>> SqliteEngine::tenants() {
  Result<std::vector<std::string>> names = Error::internal;
  writer_thread_->run([&] { names = writer_.tenants(); });
  return names;
}

void SqliteEngine::append(int64_t log_no, std::shared_ptr<const replica::Batch> batch,
                          Replied replied) {
  bool first = false;
  {
    std::lock_guard lock(mutex_);
    first = appends_.empty();
    appends_.push_back({{log_no, std::move(batch), {}}, std::move(replied)});
  }
  if (first) writer_thread_->post([this] { run_appends(); });
}

void SqliteEngine::run_appends() {
  std::vector<PendingAppend> pending;
  {
    std::lock_guard lock(mutex_);
    pending.swap(appends_);
  }
  std::vector<SqliteWriter::Append> group;
  for (size_t from = 0; from < pending.size(); from += appends_per_commit) {
    const size_t end = std::min(from + appends_per_commit, pending.size());
    group.clear();
    for (size_t i = from; i < end; ++i) group.push_back(std::move(pending[i].append));
    writer_.append(group);
    for (size_t i = from; i < end; ++i) pending[i].replied(std::move(group[i - from].reply));
    after_commit();
  }
}

void SqliteEngine::after_commit() {
  const int pages = writer_.wal_pages();
  if (pages < checkpointed_pages_) checkpointed_pages_ = 0;  // it has started over
  if (pages >= checkpoint_now_pages) {
    writer_.checkpoint();
  } else if (pages - checkpointed_pages_ >= checkpoint_pages &&
             !checkpoint_posted_.exchange(true)) {
    checkpointed_pages_ = pages;
    reader_thread_->post([this] {
      reader_.checkpoint();
      checkpoint_posted_ = false;
    });
  }
}

void SqliteEngine::barrier(int64_t log_no, StatusCallback done) {
  writer_thread_->post([this, log_no, done = std::move(done)]() mutable {
    done(writer_.barrier(log_no));
    after_commit();
  });
}

void SqliteEngine::remove(int64_t log_no, std::vector<keyspace::RecordId> records,
                          StatusCallback done) {
  remove_some(log_no, std::move(records), 0, std::move(done));
}

void SqliteEngine::remove_some(int64_t log_no, std::vector<keyspace::RecordId> records, size_t from,
                               StatusCallback done) {
  // One job for each commit, so that appends come in between.
  writer_thread_->post(
      [this, log_no, records = std::move(records), from, done = std::move(done)]() mutable {
        const size_t count = std::min(removals_per_commit, records.size() - from);
        Status status;
        if (count > 0) status = writer_.remove(log_no, std::span(records).subspan(from, count));
        after_commit();
        if (!status.ok() || from + count == records.size()) {
          done(std::move(status));
        } else {
          remove_some(log_no, std::move(records), from + count, std::move(done));
        }
      });
}

void SqliteEngine::trim(int64_t log_no, Seq below, StatusCallback done) {
  trim_some(log_no, Seq(0), below, std::move(done));
}

void SqliteEngine::trim_some(int64_t log_no, Seq from, Seq below, StatusCallback done) {
  writer_thread_->post([this, log_no, from, below, done = std::move(done)]() mutable {
    auto more = writer_.trim(log_no, &from, below, headers_per_commit);
    after_commit();
    if (!more.ok() || !*more) {
      done(more.status());
    } else {
      trim_some(log_no, from, below, std::move(done));
    }
  });
}

void SqliteEngine::defragment(StatusCallback done) { defragment_some(std::move(done)); }

void SqliteEngine::defragment_some(StatusCallback done) {
  writer_thread_->post([this, done = std::move(done)]() mutable {
    auto more = writer_.shrink(pages_per_shrink);
    if (more.ok() && *more) {
      after_commit();
      defragment_some(std::move(done));
      return;
    }
    // The file itself shrinks when the checkpoint truncates it.
    writer_.checkpoint();
    done(more.status());
  });
}

void SqliteEngine::write(absl::AnyInvocable<void(SqliteWriter&)> job) {
  writer_thread_->post([this, job = std::move(job)]() mutable {
    job(writer_);
    after_commit();
  });
}

void SqliteEngine::read(absl::AnyInvocable<void(SqliteReader&)> job) {
  reader_thread_->post([this, job = std::move(job)]() mutable { job(reader_); });
}

}  // namespace lattice::backends
