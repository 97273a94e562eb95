// What plain HTTP requests have in common whichever HTTP version brought them: routing, CORS, the
// answer to unknown paths. Thread: the connection's loop (pure but for the handlers).
#pragma once

#include <string>
#include <string_view>

#include "proxy/context.h"
#include "proxy/listener.h"
#include "proxy/router.h"

namespace lattice::proxy {

// Calls the handler of the request's path, or answers OPTIONS, unknown paths and who lacks a
// certificate itself. What `respond` gets carries the CORS headers of etcd-v3.md 3.3, and in
// x-process-time how many seconds it took. `context` outlives the answer.
void dispatch_http(const Context& context, HttpRequest request, HttpRespond respond);

// A response that the transport itself makes, in the form of Go's http.Error.
HttpResponse plain_response(int status, std::string_view text);
void add_cors(HttpResponse* response);

// Splits a request target into path and query. False when it is no absolute path.
bool split_target(std::string_view target, std::string* path, std::string* query);

std::string_view reason_phrase(int status);

}  // namespace lattice::proxy
