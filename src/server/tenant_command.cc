#include "server/tenant_command.h"

#include <algorithm>
#include <ostream>
#include <utility>

#include "backends/sqlite/sqlite_directory.h"
#include "base/tenant_name.h"
#include "server/exit_status.h"
#include "server/loop_environment.h"
#include "server/store.h"

namespace lattice::server {
namespace {

using backends::TenantRow;
using backends::TenantState;

constexpr Duration open_patience = std::chrono::seconds(10);
// Until every running server has seen a removal: each looks twice a second.
constexpr Duration removal_grace = std::chrono::seconds(3);
constexpr Duration sweep_look_interval = std::chrono::milliseconds(100);
constexpr Duration sweep_patience = std::chrono::seconds(60);

class TenantTool {
 public:
  TenantTool(const config::Config& config, const TenantCommand& command, std::ostream& out,
             std::ostream& err)
      : config_(config), command_(command), out_(out), err_(err), environment_(loop_) {}

  int run() {
    if (int status = check(); status != 0) return status;
    if (Status status = open(); !status.ok()) return fail(status);
    Status status;
    switch (command_.action) {
      case TenantCommand::Action::create:
        status = create();
        break;
      case TenantCommand::Action::list:
      case TenantCommand::Action::show:
        status = show();
        break;
      case TenantCommand::Action::limit:
        status = limit();
        break;
      case TenantCommand::Action::remove:
        status = remove();
        break;
    }
    return status.ok() ? 0 : fail(status);
  }

 private:
  int check() {
    const bool named = command_.action != TenantCommand::Action::list;
    if (named && !is_tenant_name(command_.name)) {
      return refuse(std::string(tenant_name_expectation) + ", got \"" + command_.name + "\"");
    }
    for (const auto& [name, value] : command_.limits) {
      if (std::ranges::find(backends::limit_names, name) != backends::limit_names.end()) continue;
      std::string known;
      for (const std::string_view each : backends::limit_names) {
        known += (known.empty() ? "" : ", ") + std::string(each);
      }
      return refuse("there is no limit \"" + name + "\"; there are " + known);
    }
    if (command_.action == TenantCommand::Action::remove &&
        command_.name == config_.tenants.default_tenant) {
      return refuse("\"" + command_.name +
                    "\" is the default tenant; make another one [tenants] default_tenant first");
    }
    if (config_.backend.kind == config::BackendKind::memory) {
      return refuse(
          "a memory:// store is inside the process that serves it; use [tenants] create there");
    }
    return 0;
  }
  int refuse(const std::string& why) {
    err_ << "error: " << why << "\n";
    return exit_configuration;
  }
  int fail(const Status& status) {
    err_ << "error: " << status.detail() << "\n";
    const bool tenants_fault =
        status.error() == Error::tenant_unknown || status.error() == Error::tenant_exists;
    return tenants_fault ? exit_failure : exit_status_of(status, config_.paths.wal_dir);
  }

  // ---- Waiting: runs the loop until the answer is there ----
  template <class Answer, class Ask>
  Answer wait_for(Ask ask) {
    std::optional<Answer> answer;
    ask([&](Answer given) {
      answer = std::move(given);
      loop_.stop();
    });
    while (!answer) loop_.run();
    return std::move(*answer);
  }
  void pause(Duration time) {
    const std::unique_ptr<loop::TimerHandle> timer = loop_.after(time, [this] { loop_.stop(); });
    loop_.run();
  }

  Status open() {
    Result<std::unique_ptr<Store>> store =
        open_store(config_, {.loop = loop_, .environment = environment_, .log = *log_});
    if (store.error() == Error::backend_locked) {
      Result<std::unique_ptr<backends::TenantDirectory>> beside =
          backends::open_sqlite_directory_beside(
              sqlite_options(config_),
              [this](absl::AnyInvocable<void()> task) { loop_.post(std::move(task)); });
      if (!beside.ok()) return beside.status();
      beside_ = std::move(*beside);
      return {};
    }
    if (!store.ok()) return store.status();
    store_ = std::move(*store);
    std::optional<Status> opened;
    store_->open([&](Status status) {
      opened = std::move(status);
      loop_.stop();
    });
    const std::unique_ptr<loop::TimerHandle> timer =
        loop_.after(open_patience, [this] { loop_.stop(); });
    loop_.run();
    return opened ? *opened : store_->health();
  }
  backends::TenantDirectory& directory() {
    return beside_ != nullptr ? *beside_ : store_->directory();
  }

  Result<backends::TenantList> list() {
    return wait_for<Result<backends::TenantList>>(
        [&](auto done) { directory().list(std::move(done)); });
  }
  Result<TenantRow> find() {
    Result<backends::TenantList> all = list();
    if (!all.ok()) return all.status();
    for (TenantRow& row : all->tenants) {
      if (row.name == command_.name && row.state == TenantState::active) return std::move(row);
    }
    return Status(Error::tenant_unknown, "there is no tenant \"" + command_.name + "\"");
  }

  // ---- The commands ----
  backends::TenantLimitValues merged(backends::TenantLimitValues limits) const {
    for (const auto& [name, value] : command_.limits) {
      limits.erase(name);
      if (value) limits.emplace(name, *value);
    }
    return limits;
  }
  Status create() {
    return say("created", wait_for<Status>([&](auto done) {
                 directory().create(command_.name, merged({}), std::move(done));
               }));
  }
  Status limit() {
    Result<TenantRow> row = find();
    if (!row.ok()) return row.status();
    return say("limited", wait_for<Status>([&](auto done) {
                 directory().set_limits(command_.name, merged(row->limits), std::move(done));
               }));
  }
  Status say(std::string_view what, Status status) {
    if (!status.ok()) return status;
    if (command_.json) {
      out_ << "{\"name\":\"" << command_.name << "\",\"" << what << "\":true}\n";
    } else {
      out_ << "tenant " << command_.name << " " << what << "\n";
    }
    return status;
  }

  Status remove() {
    Result<TenantRow> row = find();
    if (!row.ok()) return row.status();
    Status status =
        wait_for<Status>([&](auto done) { directory().remove(command_.name, std::move(done)); });
    if (!status.ok()) return status;
    if (status = delete_data(row->log_no); !status.ok()) return status;
    return say("removed", {});
  }
  Status delete_data(int64_t log_no) {
    if (beside_ != nullptr) return wait_until_swept(log_no);
    if (config_.backend.kind == config::BackendKind::postgresql) pause(removal_grace);
    bool more = true;
    while (more) {
      Result<bool> swept =
          wait_for<Result<bool>>([&](auto done) { directory().sweep(log_no, std::move(done)); });
      if (!swept.ok()) return swept.status();
      more = *swept;
    }
    return {};
  }
  // The process that has the file deletes the data.
  Status wait_until_swept(int64_t log_no) {
    const Instant give_up = environment_.now() + sweep_patience;
    while (environment_.now() < give_up) {
      Result<backends::TenantList> all = list();
      if (!all.ok()) return all.status();
      if (std::ranges::find(all->tenants, log_no, &TenantRow::log_no) == all->tenants.end()) {
        return {};
      }
      pause(sweep_look_interval);
    }
    err_ << "warning: the running server is still deleting the tenant's data\n";
    return {};
  }

  Status show() {
    std::vector<TenantRow> rows;
    if (command_.action == TenantCommand::Action::show) {
      Result<TenantRow> row = find();
      if (!row.ok()) return row.status();
      rows.push_back(std::move(*row));
    } else {
      Result<backends::TenantList> all = list();
      if (!all.ok()) return all.status();
      rows = std::move(all->tenants);
    }
    command_.json ? print_json(rows) : print_text(rows);
    return {};
  }
  void print_text(const std::vector<TenantRow>& rows) {
    for (const TenantRow& row : rows) {
      out_ << row.name << "  " << state_name(row) << "  " << row.created_at;
      if (!row.limits.empty()) out_ << "  " << backends::limits_to_text(row.limits);
      out_ << "\n";
    }
  }
  void print_json(const std::vector<TenantRow>& rows) {
    out_ << "{\"tenants\":[";
    for (size_t i = 0; i < rows.size(); ++i) {
      const TenantRow& row = rows[i];
      out_ << (i > 0 ? "," : "") << "{\"name\":\"" << row.name << "\",\"state\":\""
           << state_name(row) << "\",\"created_at\":\"" << row.created_at
           << "\",\"log\":" << row.log_no << ",\"limits\":{";
      bool first = true;
      for (const auto& [name, value] : row.limits) {
        out_ << (first ? "" : ",") << "\"" << name << "\":" << value;
        first = false;
      }
      out_ << "}}";
    }
    out_ << "]}\n";
  }
  static std::string_view state_name(const TenantRow& row) {
    return row.state == TenantState::active ? "active" : "removing";
  }

  const config::Config& config_;
  const TenantCommand& command_;
  std::ostream& out_;
  std::ostream& err_;
  std::shared_ptr<telemetry::Logger> log_ = telemetry::Logger::to_nowhere();
  loop::Loop loop_;
  LoopEnvironment environment_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<backends::TenantDirectory> beside_;
};

}  // namespace

int run_tenant_command(const config::Config& config, const TenantCommand& command,
                       std::ostream& out, std::ostream& err) {
  return TenantTool(config, command, out, err).run();
}

}  // namespace lattice::server
