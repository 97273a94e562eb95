#include "proxy/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace lattice::proxy {
namespace {

constexpr int gzip_wrapper = 15 + 16;  // windowBits: the largest window, gzip header and trailer
// A byte of input counts as so many of output.
constexpr size_t input_weight = 4;
constexpr size_t trailer_size_bytes = 4;  // at the end: how long it was, modulo 4 GiB
constexpr size_t deflate_ratio_max = 1032;

Bytef* input_pointer(std::string_view bytes) {
  return reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
}

}  // namespace

GzipInflater::GzipInflater(Bytes compressed, size_t bytes_max)
    : compressed_(std::move(compressed)), bytes_max_(bytes_max) {}

GzipInflater::~GzipInflater() {
  if (stream_ != nullptr) inflateEnd(stream_.get());
}

bool GzipInflater::begin() {
  auto stream = std::make_unique<z_stream>();
  if (inflateInit2(stream.get(), gzip_wrapper) != Z_OK) return false;
  stream_ = std::move(stream);
  stream_->next_in = input_pointer(compressed_.view());
  return true;
}

size_t GzipInflater::taken() const {
  return static_cast<size_t>(stream_->next_in - input_pointer(compressed_.view()));
}

size_t GzipInflater::spent() const {
  return stream_ == nullptr ? 0 : output_.size() + input_weight * taken();
}

GzipInflater::State GzipInflater::run(size_t size) {
  if (stream_ == nullptr && !begin()) return State::corrupt;
  // One byte above the limit tells "exactly full" from "too large".
  const size_t output_end = output_.size() + std::min(size, bytes_max_ + 1 - output_.size());
  const size_t input_end =
      taken() + std::min(size / input_weight + 1, compressed_.size() - taken());
  for (;;) {
    if (output_.room() == 0) grow();
    const size_t room = std::min(output_.room(), output_end - output_.size());
    stream_->next_out = reinterpret_cast<Bytef*>(output_.end());
    stream_->avail_out = static_cast<uInt>(room);
    stream_->avail_in = static_cast<uInt>(input_end - taken());
    const int result = inflate(stream_.get(), Z_NO_FLUSH);
    output_.written(room - stream_->avail_out);
    if (output_.size() > bytes_max_) return State::too_large;
    if (result == Z_STREAM_END) {
      if (taken() == compressed_.size()) return State::done;
      // Members may follow each other; Go's reader joins them.
      if (inflateReset(stream_.get()) != Z_OK) return State::corrupt;
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      return State::corrupt;
    } else if (stream_->avail_out > 0 && taken() == compressed_.size()) {
      return State::corrupt;  // it wants input that is not there
    }
    if (output_.size() == output_end || taken() == input_end) return State::more;
  }
}

// As much as the message says that it is. If that is wrong, as much as it can be at most: growing
// by and by leaves memory behind at each step.
void GzipInflater::grow() {
  size_t wanted = compressed_.size() * deflate_ratio_max + 1;
  if (output_.capacity() == 0 && compressed_.size() > trailer_size_bytes) {
    uint32_t told = 0;  // little endian, as we are
    std::memcpy(&told, compressed_.data() + compressed_.size() - trailer_size_bytes, sizeof told);
    wanted = std::min(wanted, told + size_t{1});
  }
  output_.move_to(std::min(bytes_max_ + 1, std::max(wanted, 2 * output_.capacity())));
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
