#include "server/tls_sources.h"

#include <utility>

namespace lattice::server {
namespace {

using Made = Result<std::shared_ptr<const tls::Context>>;

tls::Files files_of(const config::TlsFiles& files) { return {files.chain, files.key, files.ca}; }

Status open_client_port(const config::GrpcListener& grpc, TlsFiles& files, TlsSources* sources) {
  if (!grpc.tls.has_certificate()) return {};
  tls::ServerOptions options;
  options.oldest = grpc.tls_1_3_only ? tls::Version::tls_1_3 : tls::Version::tls_1_2;
  // Who has none may still ask for health; the router looks at each request.
  options.certificate_optional = true;
  options.protocols = {"h2", "http/1.1"};
  auto source = files.add("client_port", files_of(grpc.tls), [options](const tls::Material& pem) {
    return tls::Context::server(pem, options);
  });
  if (!source.ok()) return source.status();
  sources->client_port = std::move(*source);
  return {};
}

Status open_node_port(const config::Cluster& cluster, TlsFiles& files, TlsSources* sources) {
  if (cluster.bind.empty() || !cluster.tls.has_certificate()) return {};
  auto port = files.add("node_port", files_of(cluster.tls), [](const tls::Material& pem) -> Made {
    return tls::Context::server(pem, {.oldest = tls::Version::tls_1_3, .protocols = {"h2"}});
  });
  if (!port.ok()) return port.status();
  sources->node_port = std::move(*port);
  return {};
}

Status open_node_calls(const config::Cluster& cluster, TlsFiles& files, TlsSources* sources) {
  if (cluster.bind.empty() || !cluster.tls.has_certificate()) return {};
  auto calls = files.add("node_calls", files_of(cluster.tls), [](const tls::Material& pem) -> Made {
    return tls::Context::client(pem, {.protocols = {"h2"}});
  });
  if (!calls.ok()) return calls.status();
  sources->node_calls = std::move(*calls);
  return {};
}

Status open_control_plane(const config::ControlPlane& control, TlsFiles& files,
                          TlsSources* sources) {
  if (!control.encrypted) return {};
  auto source = files.add("control_plane", files_of(control.tls), [](const tls::Material& pem) {
    return tls::Context::client(pem, {.protocols = {"h2"}});
  });
  if (!source.ok()) return source.status();
  sources->control_plane = std::move(*source);
  return {};
}

Status open_redis(const config::Fanout& fanout, TlsFiles& files, TlsSources* sources) {
  if (!fanout.url.starts_with("rediss")) return {};
  auto source = files.add("redis", files_of(fanout.tls), [](const tls::Material& pem) -> Made {
    return tls::Context::client(pem, {});
  });
  if (!source.ok()) return source.status();
  sources->redis = std::move(*source);
  return {};
}

}  // namespace

Result<TlsSources> open_tls(const config::Config& config, TlsFiles& files) {
  TlsSources sources;
  if (Status s = open_client_port(config.grpc, files, &sources); !s.ok()) return s;
  if (Status s = open_node_port(config.cluster, files, &sources); !s.ok()) return s;
  if (Status s = open_node_calls(config.cluster, files, &sources); !s.ok()) return s;
  if (Status s = open_redis(config.fanout, files, &sources); !s.ok()) return s;
  if (Status s = open_control_plane(config.control_plane, files, &sources); !s.ok()) return s;
  return sources;
}

Result<TlsSources> open_calling_tls(const config::Config& config, TlsFiles& files) {
  TlsSources sources;
  if (Status s = open_node_calls(config.cluster, files, &sources); !s.ok()) return s;
  if (Status s = open_control_plane(config.control_plane, files, &sources); !s.ok()) return s;
  return sources;
}

}  // namespace lattice::server
