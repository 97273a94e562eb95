#include "cli/token_commands.h"

#include <ostream>

#include "config/duration.h"

namespace lattice::cli {
namespace {

constexpr int64_t day_seconds = 86'400;
constexpr int64_t days_max = 36'500;

}  // namespace

TokenCommands::TokenCommands(CLI::App& app, const Surroundings& surroundings, int& status)
    : around_(surroundings), status_(status) {
  command_.endpoint = "127.0.0.1:2379";
  CLI::App* token = app.add_subcommand("token", "Make, list and revoke API tokens for machines");
  token->require_subcommand(1);
  CLI::App* create = add(*token, "create", "Make a token that acts for a user, and print it: once",
                         Action::create);
  create->add_option("user", command_.name, "Whom it acts for")->required();
  create->add_option("--role", command_.roles, "Only what these of the user's roles grant")
      ->delimiter(',')
      ->type_name("ROLE,...");
  create->add_flag("--read-only", command_.read_only, "Only reading");
  create->add_option("--expires", expires_, "How long it is good: 90d, 12h, ... or never")
      ->capture_default_str();
  create->add_option("--comment", command_.comment, "What it is for");
  add(*token, "list", "List the tokens, not their secrets", Action::list);
  CLI::App* revoke = add(*token, "revoke", "End a token, everywhere and at once", Action::revoke);
  revoke->add_option("id", command_.name, "Its id, or the token itself")->required();
}

CLI::App* TokenCommands::add(CLI::App& parent, const char* name, const char* help, Action action) {
  CLI::App* app = parent.add_subcommand(name, help);
  app->add_option("--endpoint", command_.endpoint, "A running server")
      ->envname("ETCDCTL_ENDPOINTS")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  app->add_option("--user", command_.user, "Log in as this user, who has the role root")
      ->envname("ETCDCTL_USER")
      ->type_name("NAME:PASSWORD");
  app->add_option("--token", command_.token, "Or show this API token of such a user")
      ->type_name("TOKEN");
  app->add_option("--tenant", command_.tenant, "Whose tokens, where clients may say so")
      ->type_name("NAME");
  app->add_option("--cacert", command_.tls.ca, "Authority of the server's certificate: use TLS")
      ->envname("ETCDCTL_CACERT")
      ->type_name("FILE");
  app->add_option("--cert", command_.tls.chain, "Certificate to show")
      ->envname("ETCDCTL_CERT")
      ->type_name("FILE");
  app->add_option("--key", command_.tls.key, "Its private key")
      ->envname("ETCDCTL_KEY")
      ->type_name("FILE");
  app->add_option("--output", output_, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  app->callback([this, action] { status_ = run(action); });
  return app;
}

std::optional<int64_t> TokenCommands::seconds_of(const std::string& text) {
  if (text == "never") return 0;
  if (text.ends_with("d")) {
    const std::optional<int64_t> days = config::parse_count(text.substr(0, text.size() - 1));
    if (!days || *days < 1 || *days > days_max) return std::nullopt;
    return *days * day_seconds;
  }
  // A number alone could be anything.
  if (config::parse_count(text)) return std::nullopt;
  const std::optional<Duration> time = config::parse_retention(text);
  if (!time || *time < std::chrono::seconds(1)) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::seconds>(*time).count();
}

int TokenCommands::run(Action action) {
  const std::optional<int64_t> seconds = seconds_of(expires_);
  if (!seconds) {
    around_.err << "error: expected a time like 90d, 12h or never, got \"" << expires_ << "\"\n";
    return exit_usage;
  }
  if (!command_.user.empty() && !command_.token.empty()) {
    around_.err << "error: --user or --token, not both\n";
    return exit_usage;
  }
  command_.action = action;
  command_.ttl_seconds = *seconds;
  command_.json = output_ == "json";
  // etcdctl may name several; any of them will do.
  command_.endpoint = command_.endpoint.substr(0, command_.endpoint.find(','));
  return around_.token(command_, around_.out, around_.err);
}

}  // namespace lattice::cli
