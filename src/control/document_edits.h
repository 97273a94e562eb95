// The text of documents that are changed: what the change does not name stays as it is.
// Thread: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "control/documents.h"

namespace lattice::control {

std::string manifest_key(std::string_view tenant);
std::string routing_key(std::string_view tenant);

struct ManifestChange {
  int64_t routing_epoch = 0;
  std::optional<std::string> backend = std::nullopt;
};
// `text`: of a manifest that parse_document() takes, or empty, where there is none yet.
std::string changed(std::string_view text, const ManifestChange& change);
std::string to_json(const Routing& routing);

}  // namespace lattice::control
