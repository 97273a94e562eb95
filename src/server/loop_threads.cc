#include "server/loop_threads.h"

#include <pthread.h>

#include "server/worker.h"

namespace lattice::server {

void LoopThreads::start(const std::vector<std::unique_ptr<Worker>>& workers) {
  for (size_t i = 1; i < workers.size(); ++i) {
    threads_.emplace_back([&loop = workers[i]->loop()] {
      pthread_setname_np(pthread_self(), "loop");  // as top and a profiler show it
      loop.run();
    });
  }
}

void LoopThreads::join() {
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace lattice::server
