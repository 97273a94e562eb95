// Thread: pure.
#pragma once

#include <string>

namespace lattice::server {

// libpq explains itself in several lines; logs, statuses and health texts have one.
inline std::string one_line(std::string text) {
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.pop_back();
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  }
  return text;
}

}  // namespace lattice::server
