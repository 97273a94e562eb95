// Lets OpenSSL read from and write to a Stream, which does with its socket what suits it.
// Thread: see Stream. Ownership: the caller owns the method and keeps it as long as its BIOs.
#pragma once

#include <openssl/bio.h>

namespace lattice::tls {

class Stream;

BIO_METHOD* new_socket_method();
// The SSL that gets it owns it. Requires: `stream` outlives it.
BIO* new_socket_bio(const BIO_METHOD* method, Stream& stream);

}  // namespace lattice::tls
