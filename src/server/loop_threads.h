// The threads of all loops but the first, which turns on the main thread.
//
// Thread: the main one. Ownership: the workers outlive it; their loops are stopped before join().
#pragma once

#include <memory>
#include <thread>
#include <vector>

namespace lattice::server {

class Worker;

class LoopThreads {
 public:
  // Requires: signals are blocked, so that the first loop's thread gets them.
  void start(const std::vector<std::unique_ptr<Worker>>& workers);
  void join();

 private:
  std::vector<std::thread> threads_;
};

}  // namespace lattice::server
