#include "server/tenant_command.h"

#include <algorithm>
#include <ostream>
#include <utility>

#include "base/tenant_name.h"
#include "server/command_databases.h"
#include "server/exit_status.h"
#include "server/move_command.h"

namespace lattice::server {
namespace {

using backends::TenantRow;
using backends::TenantState;

// Until every running server has seen a removal: each looks twice a second.
constexpr Duration removal_grace = std::chrono::seconds(3);
constexpr Duration sweep_look_interval = std::chrono::milliseconds(100);
constexpr Duration sweep_patience = std::chrono::seconds(60);

class TenantTool {
 public:
  TenantTool(const config::Config& config, const TenantCommand& command, std::ostream& out,
             std::ostream& err)
      : config_(config), command_(command), out_(out), err_(err) {}

  int run() {
    if (int status = check(); status != 0) return status;
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
      case TenantCommand::Action::move:
        status = MoveCommand({config_, command_, databases_, blocking_, out_, err_}).run();
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
    // Out of an embedded file no tenant is moved, and MoveCommand says so.
    const bool moves = command_.action == TenantCommand::Action::move && command_.nodes.empty() &&
                       config_.backend.kind == config::BackendKind::postgresql;
    const bool goes = moves || command_.action == TenantCommand::Action::remove;
    if (goes && command_.name == config_.tenants.default_tenant) {
      return refuse("\"" + command_.name + "\" is the default tenant" +
                    (moves ? ", which is always in [backend]" : "") +
                    "; make another one [tenants] default_tenant on every process first" +
                    (moves ? ", or move the whole database (docs/backup.md)" : ""));
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
    err_ << "error: "
         << (status.detail().empty() ? "interrupted; run the command again" : status.detail())
         << "\n";
    const bool tenants_fault =
        status.error() == Error::tenant_unknown || status.error() == Error::tenant_exists;
    return tenants_fault ? exit_failure : exit_status_of(status, config_.paths.wal_dir);
  }

  template <class Answer, class Ask>
  Answer wait_for(Ask ask) {
    return blocking_.wait_for<Answer>(std::move(ask));
  }

  // ---- Where it is ----
  backends::TenantDirectory& directory() { return here_->directory(); }
  Status go_to(const std::string& backend) {
    const Result<OpenedDatabase*> opened = databases_.open(backend);
    if (opened.ok()) here_ = *opened;
    return opened.status();
  }
  // In the first database that has it, which here() is from then on.
  Result<TenantRow> find() {
    Result<CommandDatabases::Found> found = databases_.find_active(command_.name);
    if (!found.ok()) return found.status();
    here_ = found->database;
    return std::move(found->row);
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
    if (Status status = go_to(command_.backend); !status.ok()) return status;
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
    if (here_->beside()) return wait_until_swept(log_no);
    if (here_->its_config().backend.kind == config::BackendKind::postgresql) {
      blocking_.pause(removal_grace);
    }
    return here_->sweep(log_no);
  }
  // The process that has the file deletes the data.
  Status wait_until_swept(int64_t log_no) {
    const Instant give_up = blocking_.environment.now() + sweep_patience;
    while (blocking_.environment.now() < give_up) {
      Result<backends::TenantList> all = here_->list();
      if (!all.ok()) return all.status();
      if (std::ranges::find(all->tenants, log_no, &TenantRow::log_no) == all->tenants.end()) {
        return {};
      }
      blocking_.pause(sweep_look_interval);
    }
    err_ << "warning: the running server is still deleting the tenant's data\n";
    return {};
  }

  // ---- Showing ----
  struct Shown {
    std::string backend;
    TenantRow row;
  };
  Status show() {
    std::vector<Shown> shown;
    if (command_.action == TenantCommand::Action::show) {
      Result<TenantRow> row = find();
      if (!row.ok()) return row.status();
      shown.push_back({here_->backend(), std::move(*row)});
    } else if (Status status = list_all(&shown); !status.ok()) {
      return status;
    }
    command_.json ? print_json(shown) : print_text(shown);
    return {};
  }
  Status list_all(std::vector<Shown>* shown) {
    for (const std::string& backend : databases_.names()) {
      Status status = go_to(backend);
      Result<backends::TenantList> all =
          status.ok() ? here_->list() : Result<backends::TenantList>(std::move(status));
      if (!all.ok() && backend == config::default_backend) return all.status();
      if (!all.ok()) {
        err_ << "warning: backend " << backend << ": " << all.status().detail() << "\n";
        continue;
      }
      for (TenantRow& row : all->tenants) {
        if (row.state != TenantState::moved) shown->push_back({backend, std::move(row)});
      }
    }
    return {};
  }
  void print_text(const std::vector<Shown>& shown) {
    for (const auto& [backend, row] : shown) {
      out_ << row.name << "  " << backends::state_to_text(row.state) << "  " << row.created_at;
      if (!config_.backends.empty()) out_ << "  backend=" << backend;
      if (!row.limits.empty()) out_ << "  " << backends::limits_to_text(row.limits);
      out_ << "\n";
    }
  }
  void print_json(const std::vector<Shown>& shown) {
    out_ << "{\"tenants\":[";
    for (size_t i = 0; i < shown.size(); ++i) {
      const TenantRow& row = shown[i].row;
      out_ << (i > 0 ? "," : "") << "{\"name\":\"" << row.name << "\",\"state\":\""
           << backends::state_to_text(row.state) << "\",\"created_at\":\"" << row.created_at
           << "\",\"log\":" << row.log_no << ",\"backend\":\"" << shown[i].backend
           << "\",\"limits\":{";
      bool first = true;
      for (const auto& [name, value] : row.limits) {
        out_ << (first ? "" : ",") << "\"" << name << "\":" << value;
        first = false;
      }
      out_ << "}}";
    }
    out_ << "]}\n";
  }

  const config::Config& config_;
  const TenantCommand& command_;
  std::ostream& out_;
  std::ostream& err_;
  BlockingLoop blocking_;
  CommandDatabases databases_{config_, blocking_};
  OpenedDatabase* here_ = nullptr;
};

}  // namespace

int run_tenant_command(const config::Config& config, const TenantCommand& command,
                       std::ostream& out, std::ostream& err) {
  return TenantTool(config, command, out, err).run();
}

}  // namespace lattice::server
