// Whom a certificate is about.
// Thread: values.
#pragma once

#include <openssl/x509.h>

#include <cstdint>
#include <string>
#include <vector>

namespace lattice::tls {

struct Names {
  std::string common_name;  // the subject's; empty: none
  // The subject's alternative names. Those that hold a NUL byte are left out.
  std::vector<std::string> dns_names, uris, addresses;

  // For people: "lattice.example, localhost, 127.0.0.1"; a certificate without alternative names
  // shows its common name.
  std::string describe() const;
};

Names names_of(const X509* certificate);

// Whether a host is named by its IP address.
bool is_address(const std::string& host);

// Seconds since 1970.
int64_t expiry_of(const X509* certificate);

}  // namespace lattice::tls
