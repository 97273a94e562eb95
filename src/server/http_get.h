// One GET of a running server, for the command line's tools.
// Thread: the caller's, which it blocks.
#pragma once

#include <string>

#include "base/status.h"
#include "base/time.h"
#include "tls/context.h"

namespace lattice::server {

struct HttpGet {
  std::string endpoint;  // "host:port", with http:// or https:// in front or not
  tls::Files tls;        // one of them is enough to mean TLS
  std::string path;
  Duration patience{};
};

// The body of an answer with status 200. Errors: invalid_argument, for files that cannot be used;
// backend_unavailable, for everything else.
Result<std::string> http_get(const HttpGet& request);

}  // namespace lattice::server
