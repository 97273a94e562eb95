// gRPC's "gzip" message encoding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/byte_chain.h"
#include "proxy/growing_bytes.h"

struct z_stream_s;

namespace lattice::proxy {

// Inflates one message, in as many pieces as its owner likes. A bomb costs no more than an honest
// message: it ends as soon as the output would exceed `bytes_max`.
// Thread: one. Ownership: keeps the compressed bytes; what it makes is the caller's, once.
class GzipInflater {
 public:
  enum class State : uint8_t { more, done, corrupt, too_large };

  GzipInflater(Bytes compressed, size_t bytes_max);
  ~GzipInflater();
  GzipInflater(const GzipInflater&) = delete;
  GzipInflater& operator=(const GzipInflater&) = delete;

  // Makes up to `size` bytes, of a fourth as many at most: time is also taken by input of which
  // nothing comes. Requires: size > 0, and nothing but `more` was answered before.
  State run(size_t size);
  // What it has cost so far, in bytes as run() counts them.
  size_t spent() const;
  size_t compressed_bytes() const { return compressed_.size(); }
  // Requires: `done`.
  Bytes take() { return output_.take(); }

 private:
  bool begin();
  size_t taken() const;
  void grow();

  const Bytes compressed_;
  const size_t bytes_max_;
  std::unique_ptr<z_stream_s> stream_;  // null: not begun
  GrowingBytes output_;
};

// Nothing when it would not be smaller than the original.
std::optional<Bytes> gzip_deflate(const ByteChain& message);

}  // namespace lattice::proxy
