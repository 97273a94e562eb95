#include "telemetry/audit_log.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <thread>
#include <utility>

#include "telemetry/audit_file.h"

namespace lattice::telemetry {
namespace {

using WallClock = std::chrono::system_clock;

// Lines gather for so long, so that a busy server wakes the thread a hundred times a second, not at
// each line.
constexpr auto gather_time = std::chrono::milliseconds(10);
constexpr Duration write_patience = std::chrono::milliseconds(100);
constexpr auto retry_interval = std::chrono::seconds(1);
constexpr auto farewell_max = std::chrono::seconds(3);
constexpr int farewell_tries = 20;  // of write_patience each

// Where the line that holds the byte `at` begins.
size_t line_start(std::string_view lines, size_t at) {
  if (at == 0) return 0;
  const size_t newline = lines.rfind('\n', at - 1);
  return newline == lines.npos ? 0 : newline + 1;
}

}  // namespace

struct AuditLog::State {
  State(Options of, AuditFile opened, Registry& registry, Logger& logger)
      : options(std::move(of)),
        file(std::move(opened)),
        log(logger),
        written(registry.counter("lattice_audit_lines_total",
                                 "Lines of the audit log that were written.")),
        dropped(registry.counter("lattice_audit_dropped_total",
                                 "Lines of the audit log that were lost: no room, or too many "
                                 "refusals.")),
        turned_away(registry.counter("lattice_audit_refused_changes_total",
                                     "Changes that were refused because the audit log is "
                                     "required and could not take them.")),
        failing(
            registry.gauge("lattice_audit_failing", "1 while the audit log cannot be written.")) {}

  void run();
  // False: the process ends, and the rest cannot be written.
  bool write_all(std::string_view lines);
  // Whether another file is open now.
  bool follow();
  void on_trouble(const Status& status);
  void on_recovery();
  void set_failed(bool now);
  // After a write that failed, or that nobody took; false: the process ends.
  bool may_go_on(bool failed_just_now);
  // Require: the lock.
  void lose() {
    ++lost;
    dropped.add();
  }
  size_t room_taken() const { return waiting.size() + writing_bytes; }
  // A line about those that were lost, if any were.
  void tell_dropped();

  const Options options;
  AuditFile file;  // the thread's
  Logger& log;
  Counter& written;
  Counter& dropped;
  Counter& turned_away;
  Gauge& failing;
  // The thread's.
  bool in_trouble = false;
  bool nameless = false;  // what is open cannot be found under its name
  int last_tries = 0;

  std::mutex mutex;
  std::condition_variable wake;  // of the thread
  std::condition_variable gone;
  // Under mutex.
  std::string waiting;  // whole lines
  size_t writing_bytes = 0;
  uint64_t lost = 0;            // not told yet in the log itself
  int64_t refusals_second = 0;  // of the wall clock, in which so many came
  int refusals = 0;
  bool failed = false;
  bool look = false;
  bool stopping = false;
  bool finished = false;
};

Result<std::unique_ptr<AuditLog>> AuditLog::open(Options options, Registry& registry, Logger& log) {
  Result<AuditFile> file = AuditFile::open(options.output);
  if (!file.ok()) return file.status();
  auto state = std::make_shared<State>(options, std::move(*file), registry, log);
  return std::unique_ptr<AuditLog>(new AuditLog(std::move(options), std::move(state)));
}

AuditLog::AuditLog(Options options, std::shared_ptr<State> state)
    : options_(std::move(options)), state_(std::move(state)) {
  std::thread([shared = state_] { shared->run(); }).detach();
}

// A write that hangs cannot be interrupted; the thread is then left behind with its own state.
AuditLog::~AuditLog() {
  std::unique_lock lock(state_->mutex);
  state_->stopping = true;
  state_->wake.notify_one();
  state_->gone.wait_for(lock, farewell_max, [&] { return state_->finished; });
}

void AuditLog::write(AuditLine line) {
  std::string text = std::move(line).finish(WallClock::now());
  std::unique_lock lock(state_->mutex);
  add(std::move(text), options_.required ? std::string::npos : options_.waiting_bytes_max);
}

std::optional<AuditLine> AuditLog::begin_refusal(std::string_view event) {
  const auto now = WallClock::now().time_since_epoch();
  const int64_t second = std::chrono::floor<std::chrono::seconds>(now).count();
  std::unique_lock lock(state_->mutex);
  if (std::exchange(state_->refusals_second, second) != second) state_->refusals = 0;
  if (++state_->refusals > options_.refusals_per_second_max) {
    state_->lose();
    return std::nullopt;
  }
  return begin(event);
}

void AuditLog::write_refusal(AuditLine line) {
  std::string text = std::move(line).finish(WallClock::now());
  std::unique_lock lock(state_->mutex);
  add(std::move(text), options_.waiting_bytes_max / 2);
}

// Requires: the lock.
void AuditLog::add(std::string line, size_t bytes_max) {
  State& state = *state_;
  if (state.room_taken() + line.size() > bytes_max) return state.lose();
  const bool asleep = state.waiting.empty();
  state.tell_dropped();
  state.waiting += line;
  if (asleep) state.wake.notify_one();
}

void AuditLog::State::tell_dropped() {
  if (lost == 0) return;
  AuditLine line(options.node, "dropped");
  line.number("lines", static_cast<int64_t>(std::exchange(lost, 0)));
  waiting += std::move(line).finish(WallClock::now());
}

bool AuditLog::has_room() {
  if (!options_.required) return true;
  std::lock_guard lock(state_->mutex);
  const bool room = !state_->failed && state_->room_taken() < options_.waiting_bytes_max;
  if (!room) state_->turned_away.add();
  return room;
}

void AuditLog::look_at_file() {
  std::lock_guard lock(state_->mutex);
  state_->look = true;
  state_->wake.notify_one();
}

void AuditLog::State::run() {
  pthread_setname_np(pthread_self(), "audit");
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  std::string lines;
  std::unique_lock lock(mutex);
  const auto has_work = [&] { return stopping || look || !waiting.empty(); };
  while (true) {
    if (in_trouble) {
      wake.wait_for(lock, retry_interval, has_work);
    } else {
      wake.wait(lock, has_work);
    }
    wake.wait_for(lock, gather_time, [&] { return stopping; });
    if (stopping) tell_dropped();
    if (stopping && waiting.empty()) break;
    look = false;
    lines.clear();
    lines.swap(waiting);
    writing_bytes = lines.size();
    lock.unlock();
    follow();
    const bool whole = write_all(lines);
    if (whole && !nameless) on_recovery();
    lock.lock();
    writing_bytes = 0;
    if (!whole) break;
  }
  finished = true;
  gone.notify_all();
}

bool AuditLog::State::write_all(std::string_view lines) {
  size_t at = 0;
  while (at < lines.size()) {
    const Result<size_t> taken = file.write(lines.substr(at), write_patience);
    if (taken.ok() && *taken > 0) {
      const auto count = std::ranges::count(lines.substr(at, *taken), '\n');
      written.add(static_cast<uint64_t>(count));
      at += *taken;
      continue;
    }
    if (!taken.ok()) on_trouble(taken.status());
    if (!may_go_on(!taken.ok())) return false;
    // What a new file gets begins with a whole line.
    if (follow()) at = line_start(lines, at);
  }
  return true;
}

bool AuditLog::State::follow() {
  const Result<bool> fresh = file.follow();
  nameless = !fresh.ok();
  if (nameless) on_trouble(fresh.status());
  return !nameless && *fresh;
}

// The state changes before anybody is told of it: whoever has read the line meets what it says.
void AuditLog::State::on_trouble(const Status& status) {
  if (std::exchange(in_trouble, true)) return;
  set_failed(true);
  log.error("the audit log cannot be written", {{"cause", status}});
}

void AuditLog::State::on_recovery() {
  if (!std::exchange(in_trouble, false)) return;
  set_failed(false);
  log.info("the audit log is written again", {{"file", file.path()}});
}

void AuditLog::State::set_failed(bool now) {
  failing.set(now ? 1 : 0);
  std::lock_guard lock(mutex);
  failed = now;
}

bool AuditLog::State::may_go_on(bool failed_just_now) {
  std::unique_lock lock(mutex);
  // A slow reader was waited for in write().
  if (failed_just_now) wake.wait_for(lock, retry_interval, [&] { return stopping || look; });
  look = false;
  if (!stopping) return true;
  return !failed_just_now && ++last_tries < farewell_tries;
}

}  // namespace lattice::telemetry
