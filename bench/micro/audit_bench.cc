// What the audit log costs the thread that serves: nanoseconds of CPU to make and hand over the
// line of a put, at a pace that the disk keeps up with. Usage: audit_bench FILE [lines].
#include <poll.h>
#include <time.h>

#include <cstdio>
#include <cstdlib>

#include "telemetry/audit_log.h"

namespace lattice::telemetry {
namespace {

double cpu_seconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// As etcd/changes.cc does it for a client without TLS.
void tell(AuditLog& log, int number) {
  char key[32];
  std::snprintf(key, sizeof key, "/registry/pods/pod-%d", number);
  AuditLine line = log.begin("change");
  line.text("method", "/etcdserverpb.KV/Put").text("tenant", "default").text("auth", "token");
  line.text("user", "kube-apiserver").text("remote", "127.0.0.1:38912").text("op", "put");
  line.text("key", key).revision(Revision(number)).text("outcome", "ok").text("code", "OK");
  line.milliseconds("took_ms", std::chrono::microseconds(1941));
  log.write(std::move(line));
}

int measure(const char* file, int lines) {
  Registry registry;
  const auto logger = Logger::to_nowhere();
  auto opened = AuditLog::open({.output = file, .node = "n1"}, registry, *logger);
  if (!opened.ok()) return 1;
  double own = 0;
  const double start = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID);
  for (int sent = 0; sent < lines;) {
    const double begin = cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
    for (int i = 0; i < 1000 && sent < lines; ++i) tell(**opened, sent++);
    own += cpu_seconds(CLOCK_THREAD_CPUTIME_ID) - begin;
    poll(nullptr, 0, 5);
  }
  opened->reset();
  const double all = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID) - start;
  std::printf("the line of a put, serving thread     %8.0f ns\n", own / lines * 1e9);
  std::printf("the line of a put, all threads        %8.0f ns\n", all / lines * 1e9);
  return 0;
}

}  // namespace
}  // namespace lattice::telemetry

int main(int count, char** values) {
  if (count < 2) return 2;
  return lattice::telemetry::measure(values[1], count > 2 ? std::atoi(values[2]) : 500'000);
}
