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

// A certificate's common name is a user, as with etcd's --client-cert-auth: never through a
// gateway, whose own certificate it would be.
auth::CallerRef named_by_certificate(const proxy::ServerStream& stream) {
  const proxy::PeerCertificate* certificate = stream.peer_certificate();
  if (certificate == nullptr || certificate->common_name.empty()) return nullptr;
  for (const auto& [name, value] : stream.metadata()) {
    if (name == "grpcgateway-accept") return nullptr;
  }
  return std::make_shared<const auth::Caller>(
      auth::Caller{auth::Caller::Kind::certificate, certificate->common_name, 0, {}});
}

}  // namespace

auth::CallerRef caller_of(const proxy::ServerStream& stream, const Tenant& tenant,
                          Services& services) {
  const std::optional<std::string_view> token = token_of(stream);
  if (!token) return named_by_certificate(stream);
  if (services.authority == nullptr) return std::make_shared<const auth::Caller>();
  return services.authority->identify(*token, tenant.is_default);
}

}  // namespace lattice::etcd
