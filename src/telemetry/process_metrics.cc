// process_*: what Prometheus' client libraries report about the process, from /proc.
#include <dirent.h>
#include <sys/resource.h>
#include <sys/times.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

#include "telemetry/server_metrics.h"

namespace lattice::telemetry {
namespace {

struct ProcessStat {
  double cpu_seconds = 0;
  double start_ticks = 0;
  double virtual_bytes = 0;
  double resident_bytes = 0;
};

// The fields of /proc/self/stat behind the command, which is in parentheses and may hold anything.
ProcessStat read_stat() {
  std::ifstream file("/proc/self/stat");
  std::string text;
  std::getline(file, text);
  const size_t end_of_command = text.rfind(')');
  if (end_of_command == text.npos) return {};
  std::istringstream fields(text.substr(end_of_command + 2));
  std::string skipped;
  constexpr int before_utime = 11;
  constexpr int between_stime_and_start = 6;
  for (int i = 0; i < before_utime; ++i) fields >> skipped;
  double user = 0, system = 0, start = 0, virtual_bytes = 0, resident_pages = 0;
  fields >> user >> system;
  for (int i = 0; i < between_stime_and_start; ++i) fields >> skipped;
  fields >> start >> virtual_bytes >> resident_pages;
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  return {(user + system) / ticks, start / ticks, virtual_bytes,
          resident_pages * static_cast<double>(sysconf(_SC_PAGESIZE))};
}

double boot_time_seconds() {
  std::ifstream file("/proc/stat");
  std::string word;
  while (file >> word) {
    double value = 0;
    if (word == "btime" && file >> value) return value;
    std::getline(file, word);
  }
  return 0;
}

double open_descriptors() {
  DIR* folder = opendir("/proc/self/fd");
  if (folder == nullptr) return 0;
  double count = -1;  // the folder's own descriptor
  while (const dirent* entry = readdir(folder)) {
    if (entry->d_name[0] != '.') ++count;
  }
  closedir(folder);
  return count;
}

}  // namespace

void add_process_metrics(Registry& registry) {
  Gauge& cpu =
      registry.growing("process_cpu_seconds_total", "User and system CPU time in seconds.");
  Gauge& resident = registry.gauge("process_resident_memory_bytes", "Resident memory in bytes.");
  Gauge& virtual_size = registry.gauge("process_virtual_memory_bytes", "Virtual memory in bytes.");
  Gauge& descriptors = registry.gauge("process_open_fds", "Open file descriptors.");
  Gauge& descriptors_max = registry.gauge("process_max_fds", "Most file descriptors allowed.");
  // etcd's own names for the two.
  Gauge& files = registry.gauge("os_fd_used", "Open file descriptors.");
  Gauge& files_max = registry.gauge("os_fd_limit", "Most file descriptors allowed.");
  Gauge& start =
      registry.gauge("process_start_time_seconds", "Start of the process, in unix seconds.");
  start.set(boot_time_seconds() + read_stat().start_ticks);
  registry.on_scrape(
      [&cpu, &resident, &virtual_size, &descriptors, &descriptors_max, &files, &files_max] {
        const ProcessStat stat = read_stat();
        cpu.set(stat.cpu_seconds);
        resident.set(stat.resident_bytes);
        virtual_size.set(stat.virtual_bytes);
        descriptors.set(open_descriptors());
        files.set(descriptors.value());
        rlimit limit{};
        if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
          descriptors_max.set(static_cast<double>(limit.rlim_cur));
          files_max.set(descriptors_max.value());
        }
      });
}

}  // namespace lattice::telemetry
