#include "cli/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>
#include <ostream>

#include "cli/benchmark_commands.h"
#include "cli/certs.h"
#include "cli/completion.h"
#include "cli/health_commands.h"
#include "cli/man_page.h"
#include "cli/planted_start.h"
#include "cli/reload.h"
#include "cli/restore_commands.h"
#include "cli/tenant_commands.h"
#include "cli/token_commands.h"
#include "config/print.h"
#include "telemetry/version.h"

namespace lattice::cli {
namespace {

// The flags of `start` and the key that each one sets.
struct StartFlag {
  const char* name;
  const char* key;
  const char* type;
  const char* help;
};
constexpr StartFlag start_flags[] = {
    {"--grpc-bind", "listeners.grpc.bind", "ADDR:PORT", "Client port; port 0 picks a free one"},
    {"--metrics-bind", "telemetry.metrics_bind", "ADDR:PORT", "Metrics port"},
    {"--data-dir", "paths.data_dir", "FOLDER", "Folder of everything kept on disk"},
    {"--db-connection", "backend.url", "URI",
     "postgresql://..., sqlite:///absolute/file or memory://"},
    {"--tls-chain", "listeners.grpc.tls_chain_path", "FILE", "Certificate chain: serve TLS"},
    {"--tls-key", "listeners.grpc.tls_key_path", "FILE", "Its private key"},
    {"--client-ca", "listeners.grpc.client_ca_path", "FILE",
     "Authorities of the clients' certificates, which become necessary"},
    {"--log-level", "telemetry.log_level", "LEVEL", "error, warn, info, debug or trace"},
};

class CommandLine {
 public:
  explicit CommandLine(const Surroundings& surroundings) : around_(surroundings) {
    app_.require_subcommand(1);
    app_.set_version_flag("--version", version_line());
    add_start();
    add_config();
    add_certs();
    add_status();
    add_version();
    tenants_.emplace(app_, around_, status_);
    tokens_.emplace(app_, around_, status_);
    restores_.emplace(app_, around_, status_);
    health_.emplace(app_, around_, status_);
    benchmarks_.emplace(app_, around_, status_);
    add_generated();
  }

  int run(std::vector<std::string> arguments) {
    // CLI11 takes them last first.
    std::reverse(arguments.begin(), arguments.end());
    try {
      app_.parse(std::move(arguments));
    } catch (const CLI::ParseError& error) {
      const bool asked_for_help = error.get_exit_code() == 0;
      app_.exit(error, around_.out, around_.err);
      return asked_for_help ? 0 : exit_usage;
    }
    return status_;
  }

 private:
  static std::string version_line() {
    return "lattice " + std::string(telemetry::lattice_version());
  }

  void add_start() {
    CLI::App* start = app_.add_subcommand("start", "Serve the etcd v3 API");
    add_config_flag(start, "Configuration file (TOML)");
    for (size_t i = 0; i < std::size(start_flags); ++i) {
      const StartFlag& flag = start_flags[i];
      start->add_option(flag.name, values_[i], flag.help)->type_name(flag.type);
    }
    start->callback([this] { status_ = this->start(); });
  }

  void add_config() {
    CLI::App* config = app_.add_subcommand("config", "Look at the configuration");
    config->require_subcommand(1);
    CLI::App* validate =
        config->add_subcommand("validate", "Check it; exit status 78 if it is bad");
    add_config_flag(validate, "Configuration file (TOML)");
    validate->add_flag("--print", print_,
                       "Print what is in force, and where each value comes from");
    validate->callback([this] { status_ = this->validate(); });
    CLI::App* reference = config->add_subcommand("reference", "Print every key with its meaning");
    reference->add_option("--format", format_, "toml or markdown")
        ->check(CLI::IsMember({"toml", "markdown"}))
        ->capture_default_str();
    reference->callback([this] {
      around_.out << (format_ == "toml" ? config::reference_toml() : config::reference_markdown());
    });
  }

  void add_certs() {
    CLI::App* certs = app_.add_subcommand("certs", "Make certificates");
    certs->require_subcommand(1);
    CLI::App* init = certs->add_subcommand(
        "init", "Make an authority and certificates of server, node and client that it signs");
    init->add_option("--dir", certs_.folder, "Folder to write to; existing files are kept")
        ->type_name("FOLDER")
        ->capture_default_str();
    init->add_option("--host", certs_.hosts,
                     "Names and addresses at which clients and nodes reach the server")
        ->delimiter(',')
        ->type_name("HOST,...")
        ->capture_default_str();
    init->add_option("--client", certs_.client_name, "The client's name (CN)")
        ->type_name("NAME")
        ->capture_default_str();
    init->add_option("--days", certs_.days, "How long they are good; the authority ten times that")
        ->check(CLI::Range(1, 3650))
        ->capture_default_str();
    init->callback([this] { status_ = init_certificates(certs_, around_.out, around_.err); });
  }

  void add_status() {
    CLI::App* status = app_.add_subcommand("status", "Ask a running server how it does");
    asked_.endpoint = "127.0.0.1:9090";
    status
        ->add_option("--endpoint", asked_.endpoint,
                     "Its metrics port; or its client port, which tells less")
        ->type_name("HOST:PORT")
        ->capture_default_str();
    status->add_option("--cacert", asked_.tls.ca, "Authority of its certificate: use TLS")
        ->type_name("FILE");
    status->add_option("--cert", asked_.tls.chain, "Certificate to show")->type_name("FILE");
    status->add_option("--key", asked_.tls.key, "Its private key")->type_name("FILE");
    status->add_option("--output", output_, "text or json")
        ->check(CLI::IsMember({"text", "json"}))
        ->capture_default_str();
    status->callback([this] {
      asked_.json = output_ == "json";
      status_ = around_.status(asked_, around_.out, around_.err);
    });
  }

  void add_version() {
    CLI::App* version = app_.add_subcommand("version", "Print the version");
    version->add_option("--output", output_, "text or json")
        ->check(CLI::IsMember({"text", "json"}))
        ->capture_default_str();
    version->callback([this] {
      if (output_ == "json") {
        around_.out << "{\"version\":\"" << telemetry::lattice_version() << "\"}\n";
      } else {
        around_.out << version_line() << "\n";
      }
    });
  }

  // What is written from the definitions of all commands.
  void add_generated() {
    CLI::App* completion =
        app_.add_subcommand("completion", "Print a script that completes command lines");
    completion->add_option("shell", shell_, "bash, zsh or fish")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}));
    completion->callback([this] { around_.out << completion_script(app_, shell_); });
    CLI::App* man = app_.add_subcommand("man", "Print the manual page");
    man->callback([this] { around_.out << man_page(app_, telemetry::lattice_version()); });
  }

  void add_config_flag(CLI::App* command, const char* help) {
    command->add_option("--config", file_, help)->type_name("FILE");
  }

  config::Request request() const {
    config::Request request;
    if (!file_.empty()) request.file = file_;
    request.environment = around_.environment;
    for (size_t i = 0; i < std::size(start_flags); ++i) {
      if (values_[i]) {
        request.command_line.push_back({start_flags[i].name, start_flags[i].key, *values_[i]});
      }
    }
    return request;
  }

  void report(const config::Loaded& loaded) const {
    for (const config::Problem& problem : loaded.problems) {
      around_.err << "error: " << config::to_text(problem) << "\n";
    }
  }

  int start() {
    config::Request request = this->request();
    if (!plant_from(&request.environment, around_.err)) return exit_configuration;
    const config::Loaded loaded = config::load(request);
    if (!loaded.ok()) {
      report(loaded);
      return exit_configuration;
    }
    const auto level = telemetry::parse_level(loaded.config.telemetry.log_level);
    const auto log = telemetry::Logger::to_stderr(
        {level.value_or(telemetry::Level::info), loaded.config.telemetry.json_logs});
    warn_of_planted(*log);
    for (const std::string& warning : loaded.warnings) log->warn(warning);
    Reload reload(request, loaded.settings, *log);
    return around_.serve(loaded.config, *log, [&reload] { return reload.run(); });
  }

  int validate() {
    const config::Loaded loaded = config::load(request());
    for (const std::string& warning : loaded.warnings)
      around_.err << "warning: " << warning << "\n";
    report(loaded);
    if (print_) around_.out << config::effective_toml(loaded.settings);
    if (!loaded.ok()) return exit_configuration;
    if (!print_) around_.out << "The configuration is valid.\n";
    return 0;
  }

  const Surroundings& around_;
  CLI::App app_{"An etcd v3 server that keeps its data in PostgreSQL or SQLite", "lattice"};
  std::string file_;
  std::optional<std::string> values_[std::size(start_flags)];
  CertsRequest certs_;
  server::StatusCommand asked_;
  std::string format_ = "toml";
  std::string output_ = "text";
  bool print_ = false;
  int status_ = 0;
  std::optional<TenantCommands> tenants_;
  std::optional<TokenCommands> tokens_;
  std::optional<RestoreCommands> restores_;
  std::optional<HealthCommands> health_;
  std::optional<BenchmarkCommands> benchmarks_;
  std::string shell_;
};

}  // namespace

int run(std::vector<std::string> arguments, const Surroundings& surroundings) {
  return CommandLine(surroundings).run(std::move(arguments));
}

}  // namespace lattice::cli
