// [audit].
#include <doctest/doctest.h>

#include "config/load.h"

namespace lattice::config {
namespace {

Loaded load_audit(const std::string& output, const std::string& required) {
  Request request;
  request.command_line.push_back({"--output", "audit.output", output});
  request.command_line.push_back({"--required", "audit.required", required});
  return load(request);
}

TEST_CASE("the audit log is off unless it has a place to go to") {
  CHECK(load({}).config.audit.output.empty());
  for (const auto* output : {"stdout", "/var/log/audit.log"}) {
    const Loaded loaded = load_audit(output, "true");
    REQUIRE(loaded.ok());
    CHECK(loaded.config.audit.output == output);
    CHECK(loaded.config.audit.required);
  }
}

TEST_CASE("an audit log beside nobody knows what, or required but nowhere, is a mistake") {
  const Loaded relative = load_audit("audit.log", "false");
  REQUIRE(relative.problems.size() == 1);
  CHECK(to_text(relative.problems[0])
            .find("expected stdout or the absolute name of a file, got "
                  "\"audit.log\"") != std::string::npos);
  const Loaded nowhere = load_audit("", "true");
  REQUIRE(nowhere.problems.size() == 1);
  CHECK(to_text(nowhere.problems[0]).find("needs audit.output") != std::string::npos);
}

}  // namespace
}  // namespace lattice::config
