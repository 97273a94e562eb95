// Hash and equality for hash maps keyed by std::string that are asked with a std::string_view.
// (Debian builds Abseil with a string_view of its own, so its default does not accept the
// standard's.)
// Thread: pure functions.
#pragma once

#include <functional>
#include <string_view>

#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"

namespace lattice {

struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const {
    return absl::Hash<absl::string_view>()(absl::string_view(text.data(), text.size()));
  }
};
using StringEqual = std::equal_to<>;

}  // namespace lattice
