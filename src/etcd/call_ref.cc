#include "etcd/call_ref.h"

#include <memory>

namespace lattice::etcd::internal {

Anchor* make_anchor(void* call) { return std::make_unique<Anchor>(Anchor{call, 1}).release(); }

void free_anchor(Anchor* anchor) { std::unique_ptr<Anchor> last(anchor); }

}  // namespace lattice::etcd::internal
