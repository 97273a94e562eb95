#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "cli/cli.h"
#include "server/health_command.h"
#include "server/restore_command.h"
#include "server/server.h"

int main(int count, char** values) {
  try {
    const lattice::cli::Surroundings surroundings{lattice::config::process_environment(),
                                                  std::cout,
                                                  std::cerr,
                                                  lattice::server::run,
                                                  lattice::server::run_tenant_command,
                                                  lattice::server::run_token_command,
                                                  lattice::server::run_restore_command,
                                                  lattice::server::run_health_command,
                                                  lattice::server::run_status_command,
                                                  lattice::load::run_benchmark};
    return lattice::cli::run(std::vector<std::string>(values + 1, values + count), surroundings);
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << "\n";
    return lattice::cli::exit_internal;
  }
}
