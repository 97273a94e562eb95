#include "etcd/caller.h"

#include <optional>

namespace lattice::etcd {
namespace {

// `token` is what etcd's clients send, `authorization` what its HTTP gateway makes of the header.
std::optional<std::string_view> token_of(const proxy::ServerStream& stream) {
  std::optional<std::string_view> token;
  for (const auto& [name, value] : stream.metadata()) {
    if (name == "token") return value;
    if (name == "authorization" && !token) token = value;
  }
  return token;
}

}  // namespace

auth::CallerRef caller_of(const proxy::ServerStream& stream, const Tenant& tenant,
                          Services& services) {
  const std::optional<std::string_view> token = token_of(stream);
  if (!token) return nullptr;
  if (services.authority == nullptr) return std::make_shared<const auth::Caller>();
  const Result<Tenant*> by_default = services.tenants.find_default();
  return services.authority->identify(*token, by_default.ok() && *by_default == &tenant);
}

}  // namespace lattice::etcd
