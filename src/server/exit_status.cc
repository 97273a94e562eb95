#include "server/exit_status.h"

#include <sys/stat.h>
#include <unistd.h>

namespace lattice::server {

int exit_status_of(const Status& status, const std::string& folder) {
  switch (status.error()) {
    case Error::backend_schema_newer:
    case Error::backend_foreign_data:
    case Error::invalid_argument:
      return exit_configuration;
    case Error::backend_corrupt:
      return exit_io;
    case Error::io: {
      struct stat info {};
      if (folder.empty()) return exit_io;
      if (stat(folder.c_str(), &info) != 0) return exit_cannot_create;
      return access(folder.c_str(), W_OK | X_OK) == 0 ? exit_io : exit_no_permission;
    }
    default:
      return exit_backend_unavailable;
  }
}

}  // namespace lattice::server
