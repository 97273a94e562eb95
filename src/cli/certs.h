// `lattice certs init`: a working set of certificates, for a start without openssl's recipes.
// Thread: the caller's.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace lattice::cli {

struct CertsRequest {
  std::string folder = "pki";
  std::vector<std::string> hosts = {"localhost", "127.0.0.1", "::1"};
  std::string client_name = "root";
  int days = 365;  // the authority lives ten times as long
};

// Writes ca, server, node and client, each .crt and .key, into the folder. Answers the exit status;
// where one of the files is there already, nothing is written.
int init_certificates(const CertsRequest& request, std::ostream& out, std::ostream& err);

}  // namespace lattice::cli
