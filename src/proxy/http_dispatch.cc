#include "proxy/http_dispatch.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <utility>

#include "proxy/trace_context.h"

namespace lattice::proxy {
namespace {

constexpr std::string_view no_certificate = "a client certificate is required";

std::string seconds_text(Duration took) {
  const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%lld.%06lld",
                static_cast<long long>(microseconds / 1'000'000),
                static_cast<long long>(microseconds % 1'000'000));
  return text.data();
}

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

void dispatch_http(const Context& context, HttpRequest request, HttpRespond respond) {
  respond = with_request_id(request, std::move(respond));
  const loop::Loop& loop = context.loop;
  HttpRespond finish = [&loop, start = loop.fresh_now(),
                        respond = std::move(respond)](HttpResponse response) mutable {
    add_cors(&response);
    response.headers.emplace_back("x-process-time", seconds_text(loop.fresh_now() - start));
    respond(std::move(response));
  };
  if (!context.router.admits(request.path, request.peer_certificate.get())) {
    if (context.observer != nullptr) context.observer->on_http_refused(request, no_certificate);
    return finish(plain_response(401, std::string(no_certificate) + "\n"));
  }
  if (request.method == "OPTIONS") return finish({});
  const HttpHandler* handler = context.router.find_http(request.path);
  if (handler == nullptr) return finish(plain_response(404, "404 page not found\n"));
  (*handler)(std::move(request), std::move(finish));
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
