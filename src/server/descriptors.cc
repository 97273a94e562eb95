#include "server/descriptors.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

namespace lattice::server {

void make_room_for_descriptors(int64_t count) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t last = std::min(static_cast<rlim_t>(count), limit.rlim_cur) - 1;
  const int any = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (any < 0) return;
  const int highest = fcntl(any, F_DUPFD_CLOEXEC, static_cast<int>(last));
  if (highest >= 0) close(highest);
  close(any);
}

}  // namespace lattice::server
