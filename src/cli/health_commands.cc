#include "cli/health_commands.h"

#include <ostream>

namespace lattice::cli {
namespace {

// Container engines know 0 and 1 only.
constexpr int exit_unhealthy = 1;

// An address to connect to, where `bound` may stand for every interface.
std::string reachable(const std::string& bound) {
  const size_t colon = bound.rfind(':');
  const std::string host = bound.substr(0, colon);
  const std::string port = bound.substr(colon);
  if (host.empty() || host == "0.0.0.0") return "127.0.0.1" + port;
  if (host == "[::]") return "[::1]" + port;
  return bound;
}

}  // namespace

HealthCommands::HealthCommands(CLI::App& app, const Surroundings& surroundings, int& status)
    : around_(surroundings), status_(status) {
  CLI::App* health = app.add_subcommand("healthcheck", "Ask a running server whether it is ready");
  health->add_option("--config", file_, "The server's configuration file (TOML)")
      ->type_name("FILE");
  health
      ->add_option("--endpoint", command_.address,
                   "Its metrics port, or a client port in plaintext, where it is not the "
                   "configured one")
      ->type_name("HOST:PORT");
  command_.path = "/readyz";
  health->add_option("--path", command_.path, "What to ask for")
      ->type_name("PATH")
      ->capture_default_str();
  health->callback([this] { status_ = run(); });
}

int HealthCommands::run() {
  if (command_.address.empty()) command_.address = configured_address();
  if (command_.address.empty()) return exit_unhealthy;
  return around_.health(command_, around_.out, around_.err);
}

std::string HealthCommands::configured_address() const {
  config::Request request;
  if (!file_.empty()) request.file = file_;
  request.environment = around_.environment;
  const config::Loaded loaded = config::load(request);
  for (const config::Problem& problem : loaded.problems) {
    around_.err << "error: " << config::to_text(problem) << "\n";
  }
  if (!loaded.ok()) return {};
  const config::Config& config = loaded.config;
  std::string address = config.telemetry.enabled ? config.telemetry.metrics_bind : config.grpc.bind;
  if (!config.telemetry.enabled && config.grpc.tls.has_certificate()) {
    around_.err << "error: the client port speaks TLS; set telemetry.enabled\n";
    return {};
  }
  if (address.ends_with(":0")) {
    around_.err << "error: port 0 says nothing; give --endpoint\n";
    return {};
  }
  return reachable(address);
}

}  // namespace lattice::cli
