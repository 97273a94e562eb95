#include "cli/restore_commands.h"

#include <ostream>

namespace lattice::cli {

RestoreCommands::RestoreCommands(CLI::App& app, const Surroundings& surroundings, int& status)
    : around_(surroundings) {
  CLI::App* restore = app.add_subcommand("restore", "What follows the restore of a backup");
  restore->require_subcommand(1);
  CLI::App* declare = restore->add_subcommand("declare",
                                              "Say that the store was restored from a backup: "
                                              "every tenant's revision jumps beyond all that "
                                              "clients can have seen, and they list again");
  store_.add_to(*declare);
  declare
      ->add_option("--backend", backend_,
                   "Only of this database: default, or a name of [backends]; otherwise of all")
      ->type_name("NAME");
  declare->add_flag("--yes", yes_, "Do it: no server may run, and history ends here");
  declare->callback([this, &status] { status = this->declare(); });
}

int RestoreCommands::declare() {
  if (!yes_) {
    around_.err << "error: this ends the history of every tenant in the store; say --yes if it was "
                   "restored from a backup\n";
    return exit_usage;
  }
  const std::optional<config::Config> config = store_.load(around_);
  if (!config) return exit_configuration;
  return around_.restore(*config, backend_, around_.out, around_.err);
}

}  // namespace lattice::cli
