#include "proxy/http_dispatch.h"

#include <utility>

#include "proxy/trace_context.h"

namespace lattice::proxy {
namespace {

constexpr std::string_view no_certificate = "a client certificate is required";

// The answer carries the id that the request came with.
HttpRespond with_request_id(const HttpRequest& request, HttpRespond respond) {
  for (const auto& [name, value] : request.headers) {
    if (name != "x-request-id" || !is_request_id(value)) continue;
    return [id = value, respond = std::move(respond)](HttpResponse response) mutable {
      response.headers.emplace_back("x-request-id", id);
      respond(std::move(response));
    };
  }
  return respond;
}

}  // namespace

void dispatch_http(const Router& router, Observer* observer, HttpRequest request,
                   HttpRespond respond) {
  respond = with_request_id(request, std::move(respond));
  if (!router.admits(request.path, request.peer_certificate.get())) {
    if (observer != nullptr) observer->on_http_refused(request, no_certificate);
    HttpResponse response = plain_response(401, std::string(no_certificate) + "\n");
    add_cors(&response);
    return respond(std::move(response));
  }
  if (request.method == "OPTIONS") {
    HttpResponse response;
    add_cors(&response);
    return respond(std::move(response));
  }
  const HttpHandler* handler = router.find_http(request.path);
  if (handler == nullptr) {
    HttpResponse response = plain_response(404, "404 page not found\n");
    add_cors(&response);
    return respond(std::move(response));
  }
  (*handler)(std::move(request), [respond = std::move(respond)](HttpResponse response) mutable {
    add_cors(&response);
    respond(std::move(response));
  });
}

HttpResponse plain_response(int status, std::string_view text) {
  HttpResponse response;
  response.status = status;
  response.headers = {{"content-type", "text/plain; charset=utf-8"},
                      {"x-content-type-options", "nosniff"}};
  response.body = text;
  return response;
}

void add_cors(HttpResponse* response) {
  response->headers.emplace_back("access-control-allow-methods", "POST, GET, OPTIONS, PUT, DELETE");
  response->headers.emplace_back("access-control-allow-headers",
                                 "accept, content-type, authorization");
  response->headers.emplace_back("access-control-allow-origin", "*");
}

bool split_target(std::string_view target, std::string* path, std::string* query) {
  if (!target.starts_with('/')) return false;
  const size_t mark = target.find('?');
  *path = target.substr(0, mark);
  *query = mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
  return true;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 204:
      return "No Content";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Request Entity Too Large";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 499:
      return "Client Closed Request";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Status";
  }
}

}  // namespace lattice::proxy
