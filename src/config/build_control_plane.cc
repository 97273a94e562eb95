// [control_plane]: the quorum that governs this process, if one does.
#include "config/layers.h"
#include "config/reader.h"

namespace lattice::config {
namespace {

constexpr std::string_view endpoints_key = "control_plane.endpoints";

void add_endpoint(Loaded& loaded, const std::string& url) {
  ControlPlane& to = loaded.config.control_plane;
  const bool encrypted = url.starts_with("https://");
  const size_t scheme_end = url.find("://");
  std::string address = scheme_end == url.npos ? std::string() : url.substr(scheme_end + 3);
  if (address.ends_with('/')) address.pop_back();
  const auto parsed = parse_address(address);
  if ((!encrypted && !url.starts_with("http://")) || !parsed || parsed->port == 0) {
    return add_problem(loaded, endpoints_key,
                       "expected URLs such as \"https://cp1:2379\", got \"" + url + "\"");
  }
  if (!to.endpoints.empty() && encrypted != to.encrypted) {
    return add_problem(loaded, endpoints_key, "expected all http:// or all https://");
  }
  if (!encrypted && !is_loopback(address) && loaded.config.environment == Environment::production) {
    return add_problem(loaded, endpoints_key, "production refuses http:// off loopback");
  }
  to.encrypted = encrypted;
  to.endpoints.push_back(std::move(address));
}

}  // namespace

void build_control_plane(Loaded& loaded) {
  const Reader settings(loaded.settings);
  ControlPlane& to = loaded.config.control_plane;
  to.cache_ttl = std::chrono::seconds(settings.integer("control_plane.cache_ttl_seconds"));
  to.cache_grace = settings.milliseconds("control_plane.cache_grace_ms");
  to.tls = {settings.text("control_plane.cert_path"), settings.text("control_plane.key_path"),
            settings.text("control_plane.ca_path")};
  const std::vector<std::string> endpoints = settings.texts(endpoints_key);
  if (settings.text("control_plane.mode") == "standalone") {
    if (!endpoints.empty()) {
      loaded.warnings.push_back(
          "control_plane.endpoints is unused: control_plane.mode is \"standalone\"");
    }
    return;
  }
  if (endpoints.empty()) {
    return add_problem(loaded, "control_plane.mode", "\"clustor\" needs control_plane.endpoints");
  }
  for (const std::string& url : endpoints) add_endpoint(loaded, url);
  if (to.tls.chain.empty() != to.tls.key.empty()) {
    add_problem(
        loaded, to.tls.chain.empty() ? "control_plane.key_path" : "control_plane.cert_path",
        to.tls.chain.empty() ? "needs control_plane.cert_path" : "needs control_plane.key_path");
  }
  if (!to.encrypted && !(to.tls.chain + to.tls.ca).empty()) {
    add_problem(loaded, endpoints_key, "has no https:// for the certificates to be used");
  }
}

}  // namespace lattice::config
