// Whose a request is (product.md section 3). In this order: the client's certificate, the host that
// it asked for in its TLS handshake, its metadata, the default tenant. The first that names a
// tenant decides, and what else the request says must not contradict it: a client that asks for one
// tenant never gets another's data. What another node has passed on, that node has decided.
//
// Thread: one loop's.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "config/config.h"
#include "proxy/call.h"

namespace lattice::server {

// By a certificate's CN or alternative name: its tenants, "*" for every one.
using CertificateTenants = std::map<std::string, std::vector<std::string>>;

// The metadata by which a client names its tenant.
inline constexpr std::string_view tenant_metadata = "lattice-tenant";

class TenantIdentity {
 public:
  explicit TenantIdentity(const config::Tenants& tenants) : tenants_(tenants) {}

  // The control plane's certificates, beside those of the configuration.
  void use(std::shared_ptr<const CertificateTenants> governed) { governed_ = std::move(governed); }

  // The tenant's name, whether or not there is such a tenant; valid as long as the stream.
  // Errors: tenant_unknown, with why.
  Result<std::string_view> identify(const proxy::ServerStream& stream) const;

 private:
  struct Claim;
  Result<Claim> by_certificate(const proxy::PeerCertificate& certificate) const;
  std::string_view by_server_name(std::string_view server_name) const;

  const config::Tenants& tenants_;
  std::shared_ptr<const CertificateTenants> governed_ = std::make_shared<CertificateTenants>();
};

}  // namespace lattice::server
