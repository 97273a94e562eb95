// What the documents of the control plane are checked against here, by who follows them and by who
// writes them.
// Thread: pure, plain data.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "control/documents.h"

namespace lattice::server {

// The databases of this configuration, [backend] first.
std::vector<std::string> backend_names(const config::Config& config);

class DocumentRules {
 public:
  explicit DocumentRules(const config::Config& config);

  // Valid for as long as this.
  control::Rules get() const { return {limits_, default_tenant_, backends_}; }

 private:
  const std::vector<control::LimitRange> limits_;
  const std::string default_tenant_;
  const std::vector<std::string> backends_;
};

}  // namespace lattice::server
