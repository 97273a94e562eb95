#include "server/tenant_command.h"

#include <algorithm>
#include <ostream>
#include <utility>

#include "base/tenant_name.h"
#include "server/exit_status.h"
#include "server/opened_database.h"
#include "server/tenant_move.h"

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
        status = move();
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
    const bool goes = command_.action == TenantCommand::Action::remove ||
                      command_.action == TenantCommand::Action::move;
    if (goes && command_.name == config_.tenants.default_tenant) {
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
  Status open(const std::string& backend) {
    if (opened_.contains(backend)) return {};
    Result<std::unique_ptr<OpenedDatabase>> opened =
        OpenedDatabase::open(config_, backend, blocking_);
    if (!opened.ok()) return opened.status();
    opened_[backend] = std::move(*opened);
    return {};
  }
  backends::TenantDirectory& directory() { return here_->directory(); }
  std::vector<std::string> backend_names() const {
    std::vector<std::string> names = {config::default_backend};
    for (const auto& [name, backend] : config_.backends) names.push_back(name);
    return names;
  }
  Status go_to(const std::string& backend) {
    Status status = open(backend);
    if (status.ok()) here_ = opened_[backend].get();
    return status;
  }
  // In the first database that has it, which here() is from then on.
  Result<TenantRow> find() {
    return find([](const TenantRow& row) { return row.state == TenantState::active; });
  }
  template <class Wanted>
  Result<TenantRow> find(Wanted wanted) {
    Status trouble;
    for (const std::string& backend : backend_names()) {
      Status status = go_to(backend);
      Result<backends::TenantList> all =
          status.ok() ? here_->list() : Result<backends::TenantList>(std::move(status));
      if (!all.ok()) {
        trouble = all.status();
        continue;
      }
      for (TenantRow& row : all->tenants) {
        if (row.name == command_.name && wanted(row)) return std::move(row);
      }
    }
    if (!trouble.ok()) return trouble;
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
    for (const std::string& backend : backend_names()) {
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

  // ---- Moving ----
  Status move() {
    const std::string& target = command_.backend;
    if (Status status = open(target); !status.ok()) return status;
    OpenedDatabase& to = *opened_[target];
    Result<TenantRow> row = find([&](const TenantRow& each) {
      const bool moves = each.state == TenantState::moving || each.state == TenantState::sealing;
      return moves || (each.state == TenantState::active && here_ != &to);
    });
    if (row.error() == Error::tenant_unknown) return already_there(to);
    if (!row.ok()) return row.status();
    OpenedDatabase& from = *here_;
    if (row->state != TenantState::active && row->other_backend != target) {
      return Status(Error::invalid_argument, "tenant \"" + command_.name +
                                                 "\" is being moved to backend \"" +
                                                 row->other_backend + "\"; finish or abort that");
    }
    if (from.store() == nullptr || from.store()->moves() == nullptr ||
        to.store()->moves() == nullptr) {
      return Status(Error::invalid_argument, "only tenants in PostgreSQL can be moved");
    }
    TenantMove move({blocking_, from, to, [this](const std::string& text) { tell(text); }}, *row);
    if (command_.abort) {
      Status status = move.abort();
      return status.ok() ? say("kept", {}) : status;
    }
    if (is_active_in(to, row->log_id)) {
      Status status = move.bury();
      return status.ok() ? say("moved", {}) : status;
    }
    Result<TenantMove::Outcome> outcome = move.run();
    if (!outcome.ok()) return outcome.status();
    print(*outcome, from.backend());
    return {};
  }
  // A move that was finished, but for its last steps perhaps.
  Status already_there(OpenedDatabase& to) {
    here_ = &to;
    Result<TenantRow> row = find();
    if (!row.ok()) return row.status();
    if (here_ != &to || command_.abort) {
      return Status(Error::invalid_argument, "there is no move of tenant \"" + command_.name +
                                                 "\" to backend \"" + to.backend() + "\"");
    }
    for (const auto& [backend, database] : opened_) {
      Result<backends::TenantList> all = database->list();
      if (!all.ok()) return all.status();
      for (const TenantRow& old : all->tenants) {
        if (old.state != TenantState::moved || old.log_id != row->log_id) continue;
        here_ = database.get();
        if (Status status = delete_data(old.log_no); !status.ok()) return status;
      }
    }
    return say("moved", {});
  }
  bool is_active_in(OpenedDatabase& database, const replica::LogId& log) {
    const Result<backends::TenantList> all = database.list();
    return all.ok() && std::ranges::any_of(all->tenants, [&](const TenantRow& row) {
             return row.name == command_.name && row.state == TenantState::active &&
                    row.log_id == log;
           });
  }
  void tell(const std::string& text) {
    if (command_.progress) err_ << text << "\n" << std::flush;
  }
  void print(const TenantMove::Outcome& outcome, const std::string& from) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(outcome.interrupted);
    if (command_.json) {
      out_ << "{\"name\":\"" << command_.name << "\",\"moved\":true,\"from\":\"" << from
           << "\",\"to\":\"" << command_.backend << "\",\"records\":" << outcome.records
           << ",\"revision\":" << outcome.revision << ",\"routing_epoch\":" << outcome.routing_epoch
           << ",\"interrupted_ms\":" << ms.count() << "}\n";
      return;
    }
    out_ << "tenant " << command_.name << " moved from " << from << " to " << command_.backend
         << " at revision " << outcome.revision << "; requests waited for about " << ms.count()
         << " ms\n";
    if (!config_.control_plane.clustor()) return;
    out_ << "if it has a manifest, give it \"backend\": \"" << command_.backend
         << "\" and a \"routing_epoch\" of " << outcome.routing_epoch << " or more\n";
  }

  const config::Config& config_;
  const TenantCommand& command_;
  std::ostream& out_;
  std::ostream& err_;
  BlockingLoop blocking_;
  std::map<std::string, std::unique_ptr<OpenedDatabase>> opened_;  // by name
  OpenedDatabase* here_ = nullptr;
};

}  // namespace

int run_tenant_command(const config::Config& config, const TenantCommand& command,
                       std::ostream& out, std::ostream& err) {
  return TenantTool(config, command, out, err).run();
}

}  // namespace lattice::server
