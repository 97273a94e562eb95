#include "peer/surroundings.h"

namespace lattice::peer {

void TroubleLog::tell(const std::string& node, std::string_view trouble) {
  if (!around_.on_trouble) return;
  const Instant now = around_.loop.now();
  const auto [told, first] = told_.try_emplace(node, now);
  if (!first && now - told->second < interval) return;
  told->second = now;
  if (told_.size() > nodes_max) told_.clear();
  around_.on_trouble(node, trouble);
}

}  // namespace lattice::peer
