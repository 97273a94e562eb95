#include "server/token_source.h"

#include <array>
#include <utility>
#include <vector>

#include "credentials/simple_tokens.h"
#include "credentials/token_options.h"

namespace lattice::server {

Status TokenSource::open(const config::Auth& auth) {
  auto jwt = credentials::make_jwt(auth.token);
  if (!jwt.ok()) return jwt.status();
  jwt_ = std::move(*jwt);
  return {};
}

std::shared_ptr<const credentials::Tokens> TokenSource::get(
    const config::Config& config, const std::string& cluster_secret,
    replica::Environment& environment) const {
  if (jwt_ != nullptr) return jwt_;
  std::vector<std::string> secrets = config.cluster.secrets;
  if (secrets.empty() && !cluster_secret.empty()) secrets = {cluster_secret};
  if (secrets.empty()) {
    std::array<uint8_t, 32> random{};
    environment.random_bytes(random);
    secrets = {std::string(random.begin(), random.end())};
  }
  return std::make_shared<credentials::SimpleTokens>(Keyring(secrets),
                                                     config.auth.token_ttl_seconds);
}

}  // namespace lattice::server
