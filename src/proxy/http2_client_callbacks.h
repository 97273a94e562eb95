// nghttp2's session of a client connection, wired to it. Thread: the connection's loop.
#pragma once

#include <nghttp2/nghttp2.h>

namespace lattice::proxy {

class Http2Client;

// The caller's to delete; calls `client` for as long as it exists.
nghttp2_session* new_client_session(Http2Client& client);
// Reads a request's body from its stream.
nghttp2_data_provider client_body_provider();

}  // namespace lattice::proxy
