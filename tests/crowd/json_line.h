// The program's answer: one JSON object on one line. Thread: any.
#pragma once

#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <string>
#include <utility>

#include "crowd_stream.h"

namespace lattice::crowd {

using Figures = std::initializer_list<std::pair<const char*, double>>;

// Answers whether there was no failure.
inline bool print_json(Figures figures, std::initializer_list<const Tally*> tallies,
                       const std::string& error) {
  std::printf("{");
  for (const auto& [name, value] : figures) std::printf("\"%s\":%.3f,", name, value);
  std::map<std::string, uint64_t, std::less<>> failures;
  for (const Tally* tally : tallies) {
    for (const auto& [why, count] : tally->failures) failures[why] += count;
  }
  if (!error.empty()) ++failures[error];
  std::printf("\"failures\":{");
  const char* separator = "";
  for (const auto& [why, count] : failures) {
    std::printf("%s\"%s\":%llu", separator, why.c_str(), static_cast<unsigned long long>(count));
    separator = ",";
  }
  std::printf("}}\n");
  return failures.empty();
}

}  // namespace lattice::crowd
