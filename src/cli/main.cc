#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "cli/cli.h"
#if __has_include("server/server.h")
#include "server/server.h"
#endif

namespace {

int serve(const lattice::config::Loaded& loaded, lattice::telemetry::Logger& log,
          const std::function<lattice::config::Loaded()>&) {
#if __has_include("server/server.h")
  return lattice::server::run(loaded.config, log);
#else
  log.info("nothing to serve yet", {{"bind", loaded.config.grpc.bind}});
  return 0;
#endif
}

}  // namespace

int main(int count, char** values) {
  try {
    const lattice::cli::Surroundings surroundings{lattice::config::process_environment(), std::cout,
                                                  std::cerr, serve};
    return lattice::cli::run(std::vector<std::string>(values + 1, values + count), surroundings);
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << "\n";
    return lattice::cli::exit_internal;
  }
}
