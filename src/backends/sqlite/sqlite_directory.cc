#include "backends/sqlite/sqlite_directory.h"

#include <functional>
#include <utility>

#include "backends/sqlite/sqlite_engine.h"
#include "backends/sqlite/sqlite_tenants.h"

namespace lattice::backends {
namespace {

// Runs a job with a usable database, or with the reason why there is none.
using Job = absl::AnyInvocable<void(Result<Database*>)>;
using Run = std::function<void(Job)>;

class SqliteDirectory final : public TenantDirectory {
 public:
  SqliteDirectory(Run read, Run write, Post post)
      : read_(std::move(read)), write_(std::move(write)), post_(std::move(post)) {}

  void version(Callback<int64_t> done) override {
    answer<Result<int64_t>>(read_, std::move(done), tenants_version);
  }
  void list(Callback<TenantList> done) override {
    answer<Result<TenantList>>(read_, std::move(done), list_tenants);
  }
  void create(const std::string& name, const TenantLimitValues& limits,
              StatusCallback done) override {
    answer<Status>(write_, std::move(done), [name, limits](Database& database) {
      return create_tenant(database, name, limits);
    });
  }
  void set_limits(const std::string& name, const TenantLimitValues& limits,
                  StatusCallback done) override {
    answer<Status>(write_, std::move(done), [name, limits](Database& database) {
      return set_tenant_limits(database, name, limits);
    });
  }
  void remove(const std::string& name, StatusCallback done) override {
    answer<Status>(write_, std::move(done),
                   [name](Database& database) { return remove_tenant(database, name); });
  }
  void sweep(int64_t log_no, Callback<bool> done) override {
    answer<Result<bool>>(write_, std::move(done),
                         [log_no](Database& database) { return sweep_tenant(database, log_no); });
  }

 private:
  template <class Answer, class Work>
  void answer(const Run& run, absl::AnyInvocable<void(Answer)> done, Work work) {
    run([post = post_, alive = std::weak_ptr<bool>(alive_), done = std::move(done),
         work = std::move(work)](Result<Database*> database) mutable {
      Answer result = database.ok() ? Answer(work(**database)) : Answer(database.status());
      post(
          [alive = std::move(alive), done = std::move(done), result = std::move(result)]() mutable {
            if (!alive.expired()) done(std::move(result));
          });
    });
  }

  const Run read_;
  const Run write_;
  const Post post_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

std::unique_ptr<TenantDirectory> make_sqlite_directory(std::shared_ptr<SqliteEngine> engine,
                                                       Post post) {
  Run read = [engine](Job job) {
    engine->read([job = std::move(job)](SqliteReader& reader) mutable { job(&reader.database()); });
  };
  Run write = [engine](Job job) {
    engine->write([job = std::move(job)](SqliteWriter& writer) mutable { job(writer.database()); });
  };
  return std::make_unique<SqliteDirectory>(std::move(read), std::move(write), std::move(post));
}

Result<std::unique_ptr<TenantDirectory>> open_sqlite_directory_beside(const SqliteOptions& options,
                                                                      Post post) {
  auto opened = open_tenants_beside(options);
  if (!opened.ok()) return opened.status();
  auto database = std::make_shared<Database>(std::move(*opened));
  Run run = [database](Job job) { job(database.get()); };
  return std::unique_ptr<TenantDirectory>(
      std::make_unique<SqliteDirectory>(run, run, std::move(post)));
}

}  // namespace lattice::backends
