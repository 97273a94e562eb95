// GET /version, GET /metrics and GET /status.
#include "etcd/http_reply.h"
#include "etcd/methods.h"

namespace lattice::etcd {

void register_http_version(Services&, proxy::Router& router) {
  router.add_http("/version", [](proxy::HttpRequest request, proxy::HttpRespond respond) {
    if (request.method != "GET") return respond(method_not_allowed());
    std::string body = "{\"etcdserver\":\"" + std::string(etcd_version) + "\",\"etcdcluster\":\"" +
                       std::string(etcd_cluster_version) + "\",\"storage\":\"" +
                       std::string(etcd_storage_version) + "\"}";
    respond({200, {{"content-type", "application/json"}}, std::move(body)});
  });
}

void register_http_metrics(Services& services, proxy::Router& router) {
  router.add_http("/metrics", [&services](proxy::HttpRequest, proxy::HttpRespond respond) {
    respond({200,
             {{"content-type", "text/plain; version=0.0.4; charset=utf-8"}},
             services.scrape ? services.scrape() : std::string()});
  });
}

void register_http_status(Services& services, proxy::Router& router, bool whole) {
  router.add_http(
      "/status", [&services, whole](proxy::HttpRequest request, proxy::HttpRespond respond) {
        if (request.method != "GET") return respond(method_not_allowed());
        if (!services.status) return respond(plain_error(404, "404 page not found"));
        services.status(whole, [respond = std::move(respond)](std::string body) mutable {
          respond({200, {{"content-type", "application/json"}}, std::move(body)});
        });
      });
}

}  // namespace lattice::etcd
