// The control plane's documents on disk, as they were last known to be good: what a process starts
// with while the control plane is away. Not the truth, and its first line says so.
//
// The file is replaced as a whole (written beside, synced, renamed over) and carries a checksum.
// Thread: any; reading and writing block.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "control/cache.h"

namespace lattice::control {

struct CacheFile {
  Saved saved;
  std::string boot_id;  // of the machine's boot that saved.proved_at is a time of
};

std::string encode(const CacheFile& file);
// Errors: backend_corrupt, saying what is wrong.
Result<CacheFile> decode(std::string_view text);

// Errors: io. An empty text: there is no such file.
Result<std::string> read_whole(const std::string& path);
// Makes the folder when it is missing. Errors: io.
Status replace_file(const std::string& path, std::string_view text);

// Of this boot of this machine; empty where that cannot be told.
std::string boot_id();

}  // namespace lattice::control
