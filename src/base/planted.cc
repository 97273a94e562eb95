#include "base/planted.h"

#include <algorithm>

namespace lattice {
namespace {

constexpr PlantedBug bugs[] = {
#define X(name, rule, breaks) {Planted::name, #name, rule, breaks},
    LATTICE_PLANTED(X)
#undef X
};

Planted present = Planted::none;

}  // namespace

std::span<const PlantedBug> planted_bugs() { return bugs; }

const PlantedBug* find_planted(std::string_view name) {
  const auto* at = std::ranges::find(bugs, name, &PlantedBug::name);
  return at == std::end(bugs) ? nullptr : at;
}

void plant(Planted bug) { present = bug; }

bool planted(Planted bug) { return present == bug; }

}  // namespace lattice
