// Small pieces of HTTP that etcd's own handlers answer with.
// Thread: pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proxy/router.h"

namespace lattice::etcd {

// Plain text the way Go's http.Error writes it, newline included.
proxy::HttpResponse plain_error(int status, std::string text);
proxy::HttpResponse method_not_allowed();

// The values of `name` in an undecoded query string; empty if it is not there. "?verbose" and
// "?verbose=" both have one, empty value.
std::vector<std::string> query_values(std::string_view query, std::string_view name);

// `text` inside a JSON string, without the quotes.
std::string json_escape(std::string_view text);

}  // namespace lattice::etcd
