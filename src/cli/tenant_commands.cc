#include "cli/tenant_commands.h"

#include <unistd.h>

#include <charconv>
#include <ostream>

namespace lattice::cli {

TenantCommands::TenantCommands(CLI::App& app, const Surroundings& surroundings, int& status)
    : around_(surroundings), status_(status) {
  CLI::App* tenant = app.add_subcommand("tenant", "Create, list, limit, move and remove tenants");
  tenant->require_subcommand(1);
  CLI::App* create = add(*tenant, "create", "Create a tenant", Action::create);
  create->add_option("limits", limits_, "Limits of its own, each as limit=number");
  create->add_option("--backend", backend_, "In which database: default, or a name of [backends]")
      ->type_name("NAME")
      ->capture_default_str();
  add(*tenant, "list", "List the tenants", Action::list);
  add(*tenant, "show", "Show one tenant", Action::show);
  CLI::App* limit = add(*tenant, "limit", "Give a tenant limits of its own", Action::limit);
  limit
      ->add_option("limits", limits_, "limit=number; limit= alone: as the configuration says again")
      ->required();
  CLI::App* remove =
      add(*tenant, "remove", "Remove a tenant and delete everything in it", Action::remove);
  remove->add_flag("--yes", yes_, "Do it: there is no way back but a backup");
  add_move(*tenant);
}

void TenantCommands::add_move(CLI::App& tenant) {
  CLI::App* move =
      add(tenant, "move",
          "Move a tenant to another database, or to other nodes, while it is in use", Action::move);
  CLI::Option* to =
      move->add_option("--to", to_, "Which database: default, or a name of [backends]")
          ->type_name("NAME");
  move->add_flag("--abort", abort_, "Give up a move there that was begun and is not sealed yet")
      ->needs(to);
  CLI::Option* nodes =
      move->add_option("--to-nodes", nodes_,
                       "Which nodes serve it from now on, by the names of their records in the "
                       "control plane")
          ->delimiter(',')
          ->type_name("NODE,...")
          ->excludes(to);
  move->add_option("--leader", leader_, "Which of them leads; otherwise as before")
      ->type_name("NODE")
      ->needs(nodes);
  move->add_flag("--dry-run", dry_run_, "Only say which documents would be written")->needs(nodes);
  move->add_flag("--no-wait", no_wait_, "Write the documents, and neither ask nor await the nodes")
      ->needs(nodes);
}

CLI::App* TenantCommands::add(CLI::App& parent, const char* name, const char* help, Action action) {
  CLI::App* app = parent.add_subcommand(name, help);
  store_.add_to(*app);
  app->add_option("--output", output_, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  if (action != Action::list) app->add_option("name", name_, "The tenant's name")->required();
  app->callback([this, action] { status_ = run(action); });
  return app;
}

std::optional<server::TenantCommand> TenantCommands::command(Action action) const {
  server::TenantCommand command;
  command.action = action;
  command.name = name_;
  command.json = output_ == "json";
  command.backend = action == Action::move ? to_ : backend_;
  command.nodes = nodes_;
  command.leader = leader_;
  command.dry_run = dry_run_;
  command.wait = !no_wait_;
  command.abort = abort_;
  command.progress = isatty(STDERR_FILENO) != 0;
  for (const std::string& text : limits_) {
    const size_t equals = text.find('=');
    std::optional<int64_t> value;
    if (equals != text.npos && equals + 1 < text.size()) {
      const char* end = text.data() + text.size();
      const auto [stop, error] = std::from_chars(text.data() + equals + 1, end, value.emplace());
      if (error != std::errc() || stop != end || *value < -1) value.reset();
    }
    if (equals == text.npos || equals == 0 || (!value && equals + 1 < text.size())) {
      around_.err << "error: expected limit=number, got \"" << text << "\"\n";
      return std::nullopt;
    }
    command.limits[text.substr(0, equals)] = value;
  }
  return command;
}

int TenantCommands::run(Action action) {
  if (action == Action::remove && !yes_) {
    around_.err << "error: this deletes everything that tenant \"" << name_
                << "\" has; say --yes if that is meant\n";
    return exit_usage;
  }
  if (action == Action::move && nodes_.empty() && to_.empty()) {
    around_.err << "error: where to? --to names a database, --to-nodes the nodes\n";
    return exit_usage;
  }
  const std::optional<server::TenantCommand> command = this->command(action);
  if (!command) return exit_usage;
  const std::optional<config::Config> config = store_.load(around_);
  if (!config) return exit_configuration;
  return around_.tenant(*config, *command, around_.out, around_.err);
}

}  // namespace lattice::cli
