#include "server/signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>

namespace lattice::server {
namespace {

sigset_t handled_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  return set;
}

}  // namespace

Signals::Signals() {
  std::signal(SIGPIPE, SIG_IGN);
  sigset_t set = handled_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  fd_ = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

Signals::~Signals() {
  watch_.reset();
  if (fd_ >= 0) close(fd_);
}

void Signals::watch(loop::Loop& loop, absl::AnyInvocable<void(int)> callback) {
  watch_ = loop.watch(fd_, [this, callback = std::move(callback)](bool, bool) mutable {
    signalfd_siginfo info{};
    while (read(fd_, &info, sizeof(info)) == sizeof(info)) {
      callback(static_cast<int>(info.ssi_signo));
    }
  });
  watch_->want(true, false);
}

}  // namespace lattice::server
