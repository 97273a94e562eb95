#include "server/client_endpoint.h"

#include <utility>

namespace lattice::server {

Result<ClientEndpoint> client_endpoint(std::string endpoint, const tls::Files& files,
                                       std::string_view protocol) {
  bool encrypted = !files.ca.empty() || !files.chain.empty() || !files.key.empty();
  if (const size_t scheme = endpoint.find("://"); scheme != endpoint.npos) {
    encrypted = endpoint.substr(0, scheme) == "https";
    endpoint.erase(0, scheme + 3);
  }
  ClientEndpoint found{std::move(endpoint), nullptr};
  if (!encrypted) return found;
  const Result<tls::Material> material = tls::read_files(files);
  if (!material.ok()) return Status(Error::invalid_argument, material.status().detail());
  auto context = tls::Context::client(*material, {.protocols = {std::string(protocol)}});
  if (!context.ok()) return Status(Error::invalid_argument, context.status().detail());
  found.context = std::move(*context);
  return found;
}

}  // namespace lattice::server
