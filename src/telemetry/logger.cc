#include "telemetry/logger.h"

#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <array>
#include <csignal>

#include "telemetry/log_line.h"

namespace lattice::telemetry {
namespace {

constexpr std::array<std::string_view, 5> level_names = {"error", "warn", "info", "debug", "trace"};
constexpr size_t queue_lines_max = 8192;
constexpr int threshold_nothing = -1;

class FunctionSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit FunctionSink(Logger::Write write) : write_(std::move(write)) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    write_(std::string_view(message.payload.data(), message.payload.size()));
  }
  void flush_() override {}

 private:
  Logger::Write write_;
};

}  // namespace

std::string_view level_name(Level level) { return level_names[static_cast<size_t>(level)]; }

std::optional<Level> parse_level(std::string_view name) {
  for (size_t i = 0; i < level_names.size(); ++i) {
    if (level_names[i] == name) return static_cast<Level>(i);
  }
  return std::nullopt;
}

Field::Field(std::string_view key, const Status& status)
    : key_(key),
      owned_(!status.detail().empty()
                 ? status.detail()
                 : "error " + std::to_string(static_cast<int>(status.error()))) {}

Field::Value Field::value() const {
  return owned_.empty() ? value_ : Value(std::string_view(owned_));
}

namespace {

// The writing thread takes no signals: it may start before the server has arranged for them, and
// one that is delivered to it would end the process at once.
std::shared_ptr<spdlog::details::thread_pool> make_writing_thread() {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  auto pool = std::make_shared<spdlog::details::thread_pool>(queue_lines_max, 1);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return pool;
}

}  // namespace

struct Logger::Sink {
  explicit Sink(spdlog::sink_ptr target)
      : pool(make_writing_thread()),
        logger(std::make_shared<spdlog::async_logger>(
            "lattice", std::move(target), pool, spdlog::async_overflow_policy::overrun_oldest)) {
    logger->set_pattern("%v");
    logger->set_level(spdlog::level::trace);
    logger->flush_on(spdlog::level::trace);
  }

  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::shared_ptr<spdlog::async_logger> logger;
};

Logger::Logger(int threshold, bool json, std::unique_ptr<Sink> sink)
    : threshold_(threshold), json_(json), sink_(std::move(sink)) {}

Logger::~Logger() = default;

std::shared_ptr<Logger> Logger::make(Options options, std::unique_ptr<Sink> sink) {
  return std::shared_ptr<Logger>(
      new Logger(static_cast<int>(options.level), options.json, std::move(sink)));  // private
}

std::shared_ptr<Logger> Logger::to_stderr(Options options) {
  return make(options, std::make_unique<Sink>(std::make_shared<spdlog::sinks::stderr_sink_mt>()));
}

std::shared_ptr<Logger> Logger::to_function(Options options, Write write) {
  return make(options, std::make_unique<Sink>(std::make_shared<FunctionSink>(std::move(write))));
}

std::shared_ptr<Logger> Logger::to_nowhere() {
  return std::shared_ptr<Logger>(new Logger(threshold_nothing, false, nullptr));
}

void Logger::write(Level level, std::string_view message, std::span<const Field> fields,
                   const Location& at) {
  if (!sink_) return;
  const LogEvent event{level, std::chrono::system_clock::now(), at.file_name(), at.line(), message,
                       fields};
  sink_->logger->log(spdlog::level::info, json_ ? json_line(event) : plain_line(event));
}

uint64_t Logger::dropped() const { return sink_ ? sink_->pool->overrun_counter() : 0; }

}  // namespace lattice::telemetry
