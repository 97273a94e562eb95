#include "server/opened_database.h"

#include <utility>

#include "backends/sqlite/sqlite_directory.h"
#include "replica/takeover.h"

namespace lattice::server {
namespace {

constexpr Duration database_patience = std::chrono::seconds(10);

}  // namespace

Result<std::unique_ptr<OpenedDatabase>> OpenedDatabase::open(const config::Config& config,
                                                             const std::string& backend,
                                                             BlockingLoop& blocking) {
  config::Config its_own = config;
  if (backend != config::default_backend) {
    const auto found = config.backends.find(backend);
    if (found == config.backends.end()) {
      return Status(Error::invalid_argument,
                    "there is no [backends." + backend + "] in the configuration");
    }
    its_own.backend = found->second;
  }
  // A command is done when it says so: what it changed is not lost behind what was built on it.
  if (its_own.durability.mode == config::DurabilityMode::async) {
    its_own.durability.mode = config::DurabilityMode::sync;
  }
  auto opened =
      std::unique_ptr<OpenedDatabase>(new OpenedDatabase(std::move(its_own), backend, blocking));
  if (Status status = opened->open(); !status.ok()) return status;
  return opened;
}

Status OpenedDatabase::open() {
  loop::Loop& loop = blocking_.loop;
  Result<std::unique_ptr<Store>> store =
      open_store(config_, {.loop = loop, .environment = blocking_.environment, .log = *log_});
  if (store.error() == Error::backend_locked) {
    Result<std::unique_ptr<backends::TenantDirectory>> beside =
        backends::open_sqlite_directory_beside(
            sqlite_options(config_),
            [&loop](absl::AnyInvocable<void()> task) { loop.post(std::move(task)); });
    if (!beside.ok()) return beside.status();
    lock_ = store.status();
    beside_ = std::move(*beside);
    return {};
  }
  if (!store.ok()) return store.status();
  store_ = std::move(*store);
  const auto opened = std::make_shared<std::optional<Status>>();
  store_->open([opened, &loop](Status status) {
    *opened = std::move(status);
    loop.stop();
  });
  const std::unique_ptr<loop::TimerHandle> timer =
      loop.after(database_patience, [&loop] { loop.stop(); });
  loop.run();
  return *opened ? **opened : store_->health();
}

Result<bool> OpenedDatabase::is_sealed(const backends::TenantRow& row) {
  const std::unique_ptr<replica::Log> log = store_->open_listed(row).log;
  Result<replica::LogHead> head =
      blocking_.wait_for<Result<replica::LogHead>>([&](auto done) { log->head(std::move(done)); });
  if (!head.ok()) return head.status();
  if (head->newest.seq == Seq(0)) return false;
  bool sealed = false;
  Status status = blocking_.wait_for<Status>([&](StatusCallback done) {
    log->load(
        head->newest.seq - 1,
        [&sealed](const replica::Log::LoadedBatch& batch) {
          sealed = sealed || replica::find_seal(batch.records).has_value();
        },
        std::move(done));
  });
  if (!status.ok()) return status;
  return sealed;
}

Result<backends::TenantList> OpenedDatabase::list() {
  return blocking_.wait_for<Result<backends::TenantList>>(
      [&](auto done) { directory().list(std::move(done)); });
}

Status OpenedDatabase::sweep(int64_t log_no) {
  bool more = true;
  while (more) {
    Result<bool> swept = blocking_.wait_for<Result<bool>>(
        [&](auto done) { directory().sweep(log_no, std::move(done)); });
    if (!swept.ok()) return swept.status();
    more = *swept;
  }
  return {};
}

}  // namespace lattice::server
