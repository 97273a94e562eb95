// Any bytes: a document is taken or refused with a reason, and a cache file is what was encoded or
// nothing.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "control/cache_file.h"
#include "control/rules.h"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lattice::control;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  for (const char* folder : {"tenants/a", "routing/a", "policies/a", "nodes/a"}) {
    const std::string key = std::string(documents_prefix) + folder;
    const lattice::Result<Document> document = parse_document(key, input, testing::rules());
    if (!document.ok()) require(document.status().detail().starts_with(key + ": "));
  }
  if (const auto file = decode(input); file.ok()) require(encode(*file) == input);
  return 0;
}
