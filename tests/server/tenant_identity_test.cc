// Whose a request is, by everything that it can say of it.
#include "server/tenant_identity.h"

#include <doctest/doctest.h>

#include "proxy/fake_stream.h"

namespace lattice::server {
namespace {

// What a request says that matters here.
class Asked final : public proxy::testing::FakeStream {
 public:
  Asked& certificate(proxy::PeerCertificate certificate) {
    set_certificate(std::move(certificate));
    return *this;
  }
  Asked& host(std::string name) {
    set_server_name(std::move(name));
    return *this;
  }
  Asked& tenant(const std::string& name) {
    add_metadata("lattice-tenant", name);
    return *this;
  }
};

// A request that another node has passed on.
class PassedOn final : public proxy::testing::FakeStream {
 public:
  const proxy::ForwardedFacts* forwarded() const override { return &facts_; }

 private:
  const proxy::ForwardedFacts facts_{"theirs", 0};
};

// The tenant, or "denied: why".
std::string whose(const config::Tenants& tenants, const Asked& asked) {
  const Result<std::string_view> name = TenantIdentity(tenants).identify(asked);
  if (name.ok()) return std::string(*name);
  CHECK(name.error() == Error::tenant_unknown);
  return "denied: " + name.status().detail();
}

config::Tenants everything() {
  config::Tenants tenants;
  tenants.default_tenant = "main";
  tenants.trust_metadata = true;
  tenants.spiffe_domain = "corp.example";
  tenants.server_name_domain = "etcd.example.com";
  tenants.certificates = {{"ci", {"a", "b"}},
                          {"only-a", {"a"}},
                          {"admin", {"*"}},
                          {"ops", {"a", "*"}},
                          {"b.example.com", {"b"}}};
  return tenants;
}

proxy::PeerCertificate named(std::string common_name) { return {std::move(common_name), {}, {}}; }
proxy::PeerCertificate spiffe(std::vector<std::string> uris) { return {"", {}, std::move(uris)}; }

TEST_CASE("what another node has decided holds, whatever the request says") {
  config::Tenants tenants;
  tenants.default_tenant = "main";
  PassedOn asked;
  asked.add_metadata("lattice-tenant", "mine");
  CHECK(*TenantIdentity(tenants).identify(asked) == "theirs");
}

TEST_CASE("identity: the default tenant where nothing is said") {
  CHECK(whose(everything(), Asked()) == "main");
  CHECK(whose(everything(), Asked().certificate(named("nobody"))) == "main");
  CHECK(whose(everything(), Asked().host("etcd.example.com")) == "main");
}

TEST_CASE("identity: a certificate's URI names the tenant, of the configured domain only") {
  const config::Tenants tenants = everything();
  const auto by_uri = [&](const std::string& uri) {
    return whose(tenants, Asked().certificate(spiffe({uri})));
  };
  CHECK(by_uri("spiffe://corp.example/tenant/team-a") == "team-a");
  CHECK(by_uri("spiffe://other.example/tenant/team-a") == "main");
  CHECK(by_uri("spiffe://corp.example.evil/tenant/team-a") == "main");
  CHECK(by_uri("spiffe://corp.example/tenant/team-a/more") == "main");
  CHECK(by_uri("spiffe://corp.example/tenant/") == "main");
  CHECK(by_uri("https://corp.example/tenant/team-a") == "main");
  CHECK(whose(tenants, Asked().certificate(spiffe({"spiffe://corp.example/tenant/a",
                                                   "spiffe://corp.example/tenant/b"}))) ==
        "denied: the client certificate names several tenants");
  config::Tenants without = tenants;
  without.spiffe_domain.clear();
  CHECK(whose(without, Asked().certificate(spiffe({"spiffe:///tenant/a"}))) == "main");
}

TEST_CASE("identity: certificates are mapped by common name and alternative names") {
  const config::Tenants tenants = everything();
  CHECK(whose(tenants, Asked().certificate(named("only-a"))) == "a");
  CHECK(whose(tenants, Asked().certificate({"", {"b.example.com"}, {}})) == "b");
  CHECK(whose(tenants, Asked().certificate(named("ops"))) == "a");
  CHECK(whose(tenants, Asked().certificate({"only-a", {"b.example.com"}, {}})) ==
        "denied: the client certificate is one of several tenants: name one in the metadata "
        "lattice-tenant");
}

TEST_CASE("identity: the control plane's certificates stand beside those of the configuration") {
  const config::Tenants tenants = everything();
  TenantIdentity identity(tenants);
  const auto by_name = [&](const std::string& name) {
    Asked asked;
    asked.certificate(named(name));
    const Result<std::string_view> found = identity.identify(asked);
    return found.ok() ? std::string(*found) : "denied";
  };
  CHECK(by_name("governed") == "main");
  identity.use(std::make_shared<CertificateTenants>(
      CertificateTenants{{"governed", {"c"}}, {"only-a", {"b"}}}));
  CHECK(by_name("governed") == "c");
  CHECK(by_name("only-a") == "denied");  // of two tenants now, and names none
  CHECK(by_name("admin") == "denied");
  identity.use(std::make_shared<CertificateTenants>());
  CHECK(by_name("governed") == "main");
  CHECK(by_name("only-a") == "a");
}

TEST_CASE("identity: a certificate of several tenants chooses, and only among its own") {
  config::Tenants tenants = everything();
  tenants.trust_metadata = false;
  const auto ask = [&](const std::string& name, const std::string& tenant) {
    return whose(tenants, Asked().certificate(named(name)).tenant(tenant));
  };
  CHECK(ask("ci", "b") == "b");
  CHECK(ask("ci", "c") == "denied: the client certificate is not one of tenant \"c\"");
  CHECK(ask("admin", "c") == "c");
  CHECK(ask("ops", "b") == "b");
  CHECK(whose(tenants, Asked().certificate(named("admin"))).starts_with("denied: "));
}

TEST_CASE("identity: metadata and host never override a certificate") {
  const config::Tenants tenants = everything();
  const auto by_uri = spiffe({"spiffe://corp.example/tenant/a"});
  CHECK(whose(tenants, Asked().certificate(by_uri).tenant("a")) == "a");
  CHECK(whose(tenants, Asked().certificate(by_uri).tenant("b")) ==
        "denied: the client certificate is not one of tenant \"b\"");
  CHECK(whose(tenants, Asked().certificate(named("only-a")).host("b.etcd.example.com")) ==
        "denied: the client certificate is not one of tenant \"b\"");
}

TEST_CASE("identity: the host of the handshake comes before the metadata") {
  config::Tenants tenants = everything();
  CHECK(whose(tenants, Asked().host("a.etcd.example.com")) == "a");
  CHECK(whose(tenants, Asked().host("x.a.etcd.example.com")) == "main");
  CHECK(whose(tenants, Asked().host("aetcd.example.com")) == "main");
  CHECK(whose(tenants, Asked().host("a.etcd.example.com").tenant("a")) == "a");
  CHECK(whose(tenants, Asked().host("a.etcd.example.com").tenant("b")).starts_with("denied: "));
  tenants.server_name_domain.clear();
  CHECK(whose(tenants, Asked().host("a.etcd.example.com")) == "main");
}

TEST_CASE("identity: metadata is believed only where it is configured") {
  config::Tenants tenants = everything();
  CHECK(whose(tenants, Asked().tenant("a")) == "a");
  CHECK(whose(tenants, Asked().tenant("a").tenant("a")) == "a");
  CHECK(whose(tenants, Asked().tenant("a").tenant("b")) ==
        "denied: the metadata names several tenants");
  tenants.trust_metadata = false;
  CHECK(whose(tenants, Asked().tenant("main")) == "main");
  CHECK(whose(tenants, Asked().tenant("a")) ==
        "denied: the metadata lattice-tenant is not believed here ([tenants] trust_metadata)");
}

}  // namespace
}  // namespace lattice::server
