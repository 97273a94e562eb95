// The documents of the control plane, JSON under /clustor/v1/ (docs/control-plane.md): what each
// says, and which are refused.
// Thread: pure functions, plain data.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/status.h"

namespace lattice::control {

inline constexpr std::string_view documents_prefix = "/clustor/v1/";
inline constexpr std::string_view documents_end = "/clustor/v10";  // behind the last key
inline constexpr size_t document_bytes_max = 64 << 10;

using Limits = std::map<std::string, int64_t, std::less<>>;

// tenants/<name>
struct Manifest {
  bool active = true;
  int64_t routing_epoch = 0;
  std::string backend;                  // empty: whichever has it
  Limits limits;                        // its own, before those of its policies
  std::vector<std::string> policies;    // the first that has a limit decides
  std::vector<std::string> identities;  // certificates that are its own

  bool operator==(const Manifest&) const = default;
};
// routing/<tenant>
struct Routing {
  std::vector<std::string> nodes;
  std::string leader;  // the node that should lead; empty: any

  bool operator==(const Routing&) const = default;
};
// policies/<name>
struct Policy {
  Limits limits;

  bool operator==(const Policy&) const = default;
};
// nodes/<node>: a process that serves, kept by its lease
struct NodeRecord {
  std::string address;  // for other nodes; empty: none can reach it
  std::vector<std::string> client_urls;
  std::string version;

  bool operator==(const NodeRecord&) const = default;
};
using Document = std::variant<Manifest, Routing, Policy, NodeRecord>;

// A limit that a document may set.
struct LimitRange {
  std::string_view name;
  int64_t min = 0;
  int64_t max = 0;
};

// What documents are checked against, beside their form.
struct Rules {
  std::span<const LimitRange> limits;
  std::string default_tenant;                       // which is always active
  std::vector<std::string> backends = {"default"};  // the databases that there are
};

// `key`: the whole one. Errors: invalid_argument, naming the document, the field, and what would be
// valid.
Result<Document> parse_document(std::string_view key, std::string_view text, const Rules& rules);

std::string node_key(std::string_view node);
std::string to_json(const NodeRecord& node);

}  // namespace lattice::control
