#include "server/document_rules.h"

#include "server/own_limits.h"

namespace lattice::server {

std::vector<std::string> backend_names(const config::Config& config) {
  std::vector<std::string> names = {config::default_backend};
  for (const auto& [name, backend] : config.backends) names.push_back(name);
  return names;
}

DocumentRules::DocumentRules(const config::Config& config)
    : limits_(limit_ranges()),
      default_tenant_(config.tenants.default_tenant),
      backends_(backend_names(config)) {}

}  // namespace lattice::server
