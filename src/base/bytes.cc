#include "base/bytes.h"

#include <new>

namespace lattice {

void Block::free_block(const Block* block) {
  // Blocks and their derived types are trivially destructible by contract and come from
  // ::operator new, so giving the memory back is all there is to do.
  ::operator delete(const_cast<Block*>(block));
}

Bytes Bytes::allocate(size_t size, char** data) {
  void* memory = ::operator new(sizeof(Block) + size);
  auto* block = new (memory) Block;
  char* content = static_cast<char*>(memory) + sizeof(Block);
  *data = content;
  return Bytes(block, content, size);
}

Bytes Bytes::copy(std::string_view from) {
  if (from.empty()) return {};
  char* data = nullptr;
  Bytes bytes = allocate(from.size(), &data);
  std::memcpy(data, from.data(), from.size());
  return bytes;
}

}  // namespace lattice
