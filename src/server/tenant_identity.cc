#include "server/tenant_identity.h"

#include <optional>
#include <set>

namespace lattice::server {
namespace {

Status denied(std::string why) { return Status(Error::tenant_unknown, std::move(why)); }

// "spiffe://<domain>/tenant/<id>" to its id; empty for anything else.
std::string_view spiffe_tenant(std::string_view uri, std::string_view domain) {
  constexpr std::string_view scheme = "spiffe://";
  constexpr std::string_view path = "/tenant/";
  if (domain.empty() || !uri.starts_with(scheme)) return {};
  uri.remove_prefix(scheme.size());
  if (!uri.starts_with(domain)) return {};
  uri.remove_prefix(domain.size());
  if (!uri.starts_with(path)) return {};
  uri.remove_prefix(path.size());
  return uri.find('/') == uri.npos ? uri : std::string_view();
}

std::string quoted(std::string_view name) { return "\"" + std::string(name) + "\""; }

// What the metadata asks for: nullopt if it contradicts itself.
std::optional<std::string_view> asked_by_metadata(const proxy::ServerStream& stream) {
  const std::string_view first = stream.metadata(tenant_metadata);
  if (first.empty()) return first;
  for (const auto& [name, value] : stream.metadata()) {
    if (name == tenant_metadata && value != first) return std::nullopt;
  }
  return first;
}

}  // namespace

// What a certificate allows: one tenant, or a choice.
struct TenantIdentity::Claim {
  std::set<std::string_view> tenants;
  bool every = false;

  bool none() const { return tenants.empty() && !every; }
  bool allows(std::string_view name) const { return every || tenants.contains(name); }
};

Result<TenantIdentity::Claim> TenantIdentity::by_certificate(
    const proxy::PeerCertificate& certificate) const {
  Claim claim;
  for (const std::string& uri : certificate.uris) {
    const std::string_view name = spiffe_tenant(uri, tenants_.spiffe_domain);
    if (!name.empty()) claim.tenants.insert(name);
  }
  if (claim.tenants.size() > 1) return denied("the client certificate names several tenants");
  if (!claim.none()) return claim;
  const auto add = [&](const std::string& identity) {
    for (const CertificateTenants* map : {&tenants_.certificates, governed_.get()}) {
      const auto found = map->find(identity);
      if (found == map->end()) continue;
      for (const std::string& name : found->second) {
        if (name == "*") {
          claim.every = true;
        } else {
          claim.tenants.insert(name);
        }
      }
    }
  };
  if (!certificate.common_name.empty()) add(certificate.common_name);
  for (const std::string& name : certificate.dns_names) add(name);
  for (const std::string& uri : certificate.uris) add(uri);
  return claim;
}

std::string_view TenantIdentity::by_server_name(std::string_view server_name) const {
  const std::string& domain = tenants_.server_name_domain;
  if (domain.empty() || server_name.size() <= domain.size() + 1) return {};
  if (!server_name.ends_with(domain)) return {};
  server_name.remove_suffix(domain.size());
  if (server_name.back() != '.') return {};
  server_name.remove_suffix(1);
  return server_name.find('.') == server_name.npos ? server_name : std::string_view();
}

Result<std::string_view> TenantIdentity::identify(const proxy::ServerStream& stream) const {
  if (const proxy::ForwardedFacts* forwarded = stream.forwarded()) {
    return std::string_view(forwarded->tenant);
  }
  Claim claim;
  if (const proxy::PeerCertificate* certificate = stream.peer_certificate()) {
    Result<Claim> found = by_certificate(*certificate);
    if (!found.ok()) return found.status();
    claim = std::move(*found);
  }
  const std::string_view host = by_server_name(stream.server_name());
  const std::optional<std::string_view> named = asked_by_metadata(stream);
  if (!named) return denied("the metadata names several tenants");
  const std::string_view metadata = *named;
  if (!host.empty() && !metadata.empty() && host != metadata) {
    return denied("the TLS server name asks for tenant " + quoted(host) +
                  ", the metadata lattice-tenant for " + quoted(metadata));
  }
  const std::string_view asked = host.empty() ? metadata : host;
  if (!claim.none()) {
    if (!asked.empty()) {
      if (claim.allows(asked)) return asked;
      return denied("the client certificate is not one of tenant " + quoted(asked));
    }
    if (claim.tenants.size() == 1) return *claim.tenants.begin();
    return denied(
        "the client certificate is one of several tenants: name one in the metadata "
        "lattice-tenant");
  }
  if (!host.empty()) return host;
  if (metadata.empty() || metadata == tenants_.default_tenant) {
    return std::string_view(tenants_.default_tenant);
  }
  if (tenants_.trust_metadata) return metadata;
  return denied("the metadata lattice-tenant is not believed here ([tenants] trust_metadata)");
}

}  // namespace lattice::server
