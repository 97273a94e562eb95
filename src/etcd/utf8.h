// Whether bytes are text.
// Thread: pure.
#pragma once

#include <string_view>

namespace lattice::etcd {

// Strict UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

}  // namespace lattice::etcd
