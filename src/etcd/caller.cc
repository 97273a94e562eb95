#include "etcd/caller.h"

#include <optional>

namespace lattice::etcd {

auth::CallerRef caller_of(const proxy::ServerStream& stream, credentials::Authority* authority,
                          bool any_realm) {
  // `token` is what etcd's clients send, `authorization` what its HTTP gateway makes of the header.
  std::optional<std::string_view> token;
  for (const auto& [name, value] : stream.metadata()) {
    if (name == "token") {
      token = value;
      break;
    }
    if (name == "authorization" && !token) token = value;
  }
  if (!token) return nullptr;
  if (authority == nullptr) return std::make_shared<const auth::Caller>();
  return authority->identify(*token, any_realm);
}

}  // namespace lattice::etcd
