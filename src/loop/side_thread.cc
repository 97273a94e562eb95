#include "loop/side_thread.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include <utility>

namespace lattice::loop {
namespace {

// A tenth of what a loop gets that wants the same processor; and a loop that wakes takes it at
// once, where it would else wait for the end of a slice of milliseconds.
constexpr int nice_behind_loops = 10;  // more than theirs

}  // namespace

class SideThread::Handle final : public SideJob {
 public:
  Handle(SideThread& thread, uint64_t number, std::shared_ptr<bool> wanted)
      : thread_(thread), alive_(thread.alive_), number_(number), wanted_(std::move(wanted)) {}
  ~Handle() override {
    if (std::exchange(*wanted_, false) && *alive_) thread_.take_back(number_);
  }

 private:
  SideThread& thread_;  // while *alive_
  const std::shared_ptr<bool> alive_;
  const uint64_t number_;
  const std::shared_ptr<bool> wanted_;
};

SideThread::SideThread(Loop& loop, std::string thread_name, size_t waiting_max, Priority priority)
    : loop_(loop),
      thread_name_(std::move(thread_name)),
      waiting_max_(waiting_max),
      priority_(priority) {}

SideThread::~SideThread() {
  *alive_ = false;
  std::map<uint64_t, Job> unfinished;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    unfinished.swap(jobs_);
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

bool SideThread::run(Task work, Task done) { return add({std::move(work), std::move(done)}) != 0; }

std::unique_ptr<SideJob> SideThread::start(Task work, Task done) {
  auto wanted = std::make_shared<bool>(true);  // the loop's thread only
  const uint64_t number = add({std::move(work), [wanted, done = std::move(done)]() mutable {
                                 if (std::exchange(*wanted, false)) done();
                               }});
  if (number == 0) return nullptr;
  return std::make_unique<Handle>(*this, number, std::move(wanted));
}

uint64_t SideThread::add(Job job) {
  uint64_t number = 0;
  {
    std::lock_guard lock(mutex_);
    if (jobs_.size() >= waiting_max_) return 0;
    number = ++added_;
    jobs_.emplace_hint(jobs_.end(), number, std::move(job));
  }
  wake_.notify_one();
  if (!thread_.joinable()) thread_ = std::thread([this] { main(); });
  return number;
}

void SideThread::take_back(uint64_t number) {
  // What it refers to ends without the lock.
  std::map<uint64_t, Job>::node_type taken;
  std::lock_guard lock(mutex_);
  taken = jobs_.extract(number);
}

void SideThread::main() {
  pthread_setname_np(pthread_self(), thread_name_.c_str());
  if (priority_ == Priority::behind_loops) {
    // Of this thread alone, on Linux. From where the process is, and no further than there is.
    (void)setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + nice_behind_loops);
  }
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return stopping_ || !jobs_.empty(); });
    if (stopping_) return;
    Job job = std::move(jobs_.extract(jobs_.begin()).mapped());
    lock.unlock();
    job.work();
    // Before `done` can run: what both refer to ends on the loop, where it belongs.
    job.work = nullptr;
    loop_.post([alive = alive_, done = std::move(job.done)]() mutable {
      if (*alive) done();
    });
    lock.lock();
  }
}

}  // namespace lattice::loop
