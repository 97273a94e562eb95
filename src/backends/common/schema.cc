#include "backends/common/schema.h"

#include <charconv>
#include <cstdio>

namespace lattice::backends {
namespace {

template <class T>
std::optional<T> parse(std::string_view text, int base) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, base);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

}  // namespace

std::string cluster_id_to_text(uint64_t id) {
  char text[17];
  std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(id));
  return text;
}

std::optional<uint64_t> cluster_id_from_text(std::string_view text) {
  if (text.size() != 16) return std::nullopt;
  const auto id = parse<uint64_t>(text, 16);
  if (!id || *id == 0) return std::nullopt;
  return id;
}

Result<SchemaState> read_schema_state(std::string_view where, std::optional<std::string> format,
                                      std::optional<std::string> version,
                                      std::optional<std::string> cluster_id) {
  const std::optional<int> number = version ? parse<int>(*version, 10) : std::nullopt;
  const auto id = cluster_id ? cluster_id_from_text(*cluster_id) : std::nullopt;
  if (!format || *format != schema_format || !number || *number < 1 || !id) {
    return Status(Error::backend_foreign_data,
                  std::string(where) +
                      " has a table named meta that Lattice did not write, or whose rows were "
                      "damaged; give Lattice a database of its own, or restore the table");
  }
  if (*number > schema_version) {
    return Status(Error::backend_schema_newer,
                  std::string(where) + " has schema version " + std::to_string(*number) +
                      ", this Lattice knows versions up to " + std::to_string(schema_version) +
                      "; start the newer Lattice that wrote it, or restore a backup from before");
  }
  return SchemaState{*number, *id};
}

}  // namespace lattice::backends
