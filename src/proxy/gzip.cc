#include "proxy/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace lattice::proxy {
namespace {

constexpr int gzip_wrapper = 15 + 16;  // windowBits: the largest window, gzip header and trailer
constexpr size_t first_output = 4 << 10;

Bytef* input_pointer(std::string_view bytes) {
  return reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
}

}  // namespace

Inflated gzip_inflate(const Bytes& compressed, size_t bytes_max) {
  z_stream stream{};
  if (inflateInit2(&stream, gzip_wrapper) != Z_OK) return {InflateOutcome::corrupt, {}};
  stream.next_in = input_pointer(compressed.view());
  stream.avail_in = static_cast<uInt>(compressed.size());
  char* data = nullptr;
  // One byte above the limit tells "exactly full" from "too large".
  size_t capacity = std::min(bytes_max + 1, std::max(first_output, 4 * compressed.size()));
  Bytes out = Bytes::allocate(capacity, &data);
  size_t size = 0;
  InflateOutcome outcome = InflateOutcome::ok;
  for (;;) {
    stream.next_out = reinterpret_cast<Bytef*>(data + size);
    stream.avail_out = static_cast<uInt>(capacity - size);
    const int result = inflate(&stream, Z_NO_FLUSH);
    size = capacity - stream.avail_out;
    if (size > bytes_max) {
      outcome = InflateOutcome::too_large;
      break;
    }
    if (result == Z_STREAM_END) {
      if (stream.avail_in == 0) break;
      // Members may follow each other; Go's reader joins them.
      if (inflateReset(&stream) == Z_OK) continue;
    }
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
      outcome = InflateOutcome::corrupt;
      break;
    }
    if (stream.avail_out > 0) {  // it wants input that is not there
      outcome = InflateOutcome::corrupt;
      break;
    }
    capacity = std::min(bytes_max + 1, 2 * capacity);
    char* larger_data = nullptr;
    Bytes larger = Bytes::allocate(capacity, &larger_data);
    std::memcpy(larger_data, data, size);
    out = std::move(larger);
    data = larger_data;
  }
  inflateEnd(&stream);
  if (outcome != InflateOutcome::ok) return {outcome, {}};
  return {outcome, out.slice(0, size)};
}

std::optional<Bytes> gzip_deflate(const ByteChain& message) {
  z_stream stream{};
  const int ready = deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, gzip_wrapper, /*memLevel=*/8,
                                 Z_DEFAULT_STRATEGY);
  if (ready != Z_OK) return std::nullopt;
  char* data = nullptr;
  Bytes out = Bytes::allocate(message.size(), &data);
  stream.next_out = reinterpret_cast<Bytef*>(data);
  stream.avail_out = static_cast<uInt>(message.size());
  int result = Z_OK;
  for (const Bytes& part : message.parts()) {
    stream.next_in = input_pointer(part.view());
    stream.avail_in = static_cast<uInt>(part.size());
    result = deflate(&stream, Z_NO_FLUSH);
    if (result != Z_OK || stream.avail_in > 0) break;
  }
  if (result == Z_OK && stream.avail_in == 0) result = deflate(&stream, Z_FINISH);
  const size_t size = message.size() - stream.avail_out;
  deflateEnd(&stream);
  if (result != Z_STREAM_END) return std::nullopt;
  return out.slice(0, size);
}

}  // namespace lattice::proxy
