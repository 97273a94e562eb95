// What a connection has ready for its socket: small things copied together, large ones referred to.
//
// Thread: the connection's loop.
// Ownership: owns its chunks (borrowed from the pool of the loop, given back when sent, so that an
//   idle connection holds no buffer) and a reference to every large part.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace lattice::proxy {

// One turn's output of a connection; more waits in the streams, where a reset can still drop it.
inline constexpr size_t turn_output_bytes = 256 << 10;
// So often it is made anew within a turn, as long as the socket takes all of it.
inline constexpr int refills_per_turn = 4;

class ChunkPool {
 public:
  struct Chunk {
    static constexpr size_t chunk_bytes = 32 << 10;
    size_t used = 0;
    size_t segments = 0;  // of an OutputBuffer that lie in this chunk
    char data[chunk_bytes];
  };

  std::unique_ptr<Chunk> get();
  void put(std::unique_ptr<Chunk> chunk);

 private:
  static constexpr size_t kept_max = 64;
  std::vector<std::unique_ptr<Chunk>> free_;
};

class OutputBuffer {
 public:
  // Parts of at least this size are sent from where they lie. Lists of values of 1 KiB, which wait
  // for memory and nothing else: 184 to 190 a second with everything below 8 KiB copied, 231 to
  // 242 with this.
  static constexpr size_t reference_bytes_min = 512;

  explicit OutputBuffer(ChunkPool& pool) : pool_(pool) {}
  ~OutputBuffer() { clear(); }
  OutputBuffer(const OutputBuffer&) = delete;
  OutputBuffer& operator=(const OutputBuffer&) = delete;

  void append(std::string_view bytes);
  // Copies or refers to bytes [offset, offset + size) of `part`, by size.
  void append(const Bytes& part, size_t offset, size_t size);

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // The front of the buffer, as many pieces as fit into `into`.
  std::span<const iovec> front(std::span<iovec> into) const;
  // Requires: bytes <= size().
  void consume(size_t bytes);
  void clear();

 private:
  struct Segment {
    const char* data = nullptr;
    size_t size = 0;
    ChunkPool::Chunk* chunk = nullptr;  // null: `reference` keeps the bytes
    Bytes reference;
  };
  void release(Segment& segment);
  void open_chunk();

  ChunkPool& pool_;
  std::vector<Segment> segments_;
  size_t head_ = 0;  // segments before it are sent
  ChunkPool::Chunk* tail_ =
      nullptr;  // takes what is appended next; owned like the chunks of segments
  size_t size_ = 0;
};

}  // namespace lattice::proxy
