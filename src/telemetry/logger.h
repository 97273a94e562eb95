// Structured logging: a message and key/value fields become one line on stderr, as plain text or
// JSON.
//
//   log.info("listening", {{"address", address}, {"threads", threads}});
//
// JSON keys are level, ts (RFC 3339, UTC, nanoseconds), caller, msg, then the fields: what
// pipelines built for etcd's logs expect.
//
// Thread: any. A line is formatted by the caller and written by one background thread behind a
//   bounded queue; when stderr cannot keep up, the oldest lines are dropped and counted, and no
//   caller waits.
// Ownership: made once at start, passed by reference; must outlive all who log. The destructor
//   writes what is queued. There is no global logger.
// Invariants: never log values, passwords or tokens; keys of the store only at debug or trace.
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "base/ids.h"
#include "base/status.h"
#include "base/time.h"

namespace lattice::telemetry {

enum class Level : uint8_t { error, warn, info, debug, trace };

// "error", "warn", "info", "debug", "trace".
std::string_view level_name(Level level);
std::optional<Level> parse_level(std::string_view name);

// One key and its value. Views are read before log() returns, so temporaries are fine.
class Field {
 public:
  using Value = std::variant<std::string_view, int64_t, uint64_t, double, bool, Duration>;

  Field(std::string_view key, std::string_view value) : key_(key), value_(value) {}
  Field(std::string_view key, const std::string& value) : Field(key, std::string_view(value)) {}
  Field(std::string_view key, const char* value) : Field(key, std::string_view(value)) {}
  Field(std::string_view key, bool value) : key_(key), value_(value) {}
  Field(std::string_view key, std::signed_integral auto value)
      : key_(key), value_(static_cast<int64_t>(value)) {}
  Field(std::string_view key, std::unsigned_integral auto value)
      : key_(key), value_(static_cast<uint64_t>(value)) {}
  Field(std::string_view key, double value) : key_(key), value_(value) {}
  // Written in seconds: name the key `..._s`.
  Field(std::string_view key, Duration value) : key_(key), value_(value) {}
  template <class Tag, class Rep>
  Field(std::string_view key, TypedInt<Tag, Rep> value) : Field(key, value.value) {}
  // The Status's detail, or the number of its error where it has none.
  Field(std::string_view key, const Status& status);

  std::string_view key() const { return key_; }
  Value value() const;

 private:
  std::string_view key_;
  Value value_;
  std::string owned_;  // backs the value where the argument had no text of its own
};

class Logger {
 public:
  using Fields = std::initializer_list<Field>;
  using Location = std::source_location;
  using Write = std::function<void(std::string_view line)>;
  struct Options {
    Level level = Level::info;
    bool json = false;
  };

  static std::shared_ptr<Logger> to_stderr(Options options);
  // Hands each line (without newline) to `write`, on the logging thread. For tests and embedding.
  static std::shared_ptr<Logger> to_function(Options options, Write write);
  // Drops everything, at the price of one load per call.
  static std::shared_ptr<Logger> to_nowhere();

  ~Logger();
  Logger(const Logger&) = delete;
  Logger& operator=(const Logger&) = delete;

  // Cheap: guard with it what is costly to compute for a line that may not be written.
  bool enabled(Level level) const {
    return static_cast<int>(level) <= threshold_.load(std::memory_order_relaxed);
  }
  void set_level(Level level) {
    threshold_.store(static_cast<int>(level), std::memory_order_relaxed);
  }

  void error(std::string_view message, Fields fields = {}, Location at = Location::current()) {
    log(Level::error, message, fields, at);
  }
  void warn(std::string_view message, Fields fields = {}, Location at = Location::current()) {
    log(Level::warn, message, fields, at);
  }
  void info(std::string_view message, Fields fields = {}, Location at = Location::current()) {
    log(Level::info, message, fields, at);
  }
  void debug(std::string_view message, Fields fields = {}, Location at = Location::current()) {
    log(Level::debug, message, fields, at);
  }
  void trace(std::string_view message, Fields fields = {}, Location at = Location::current()) {
    log(Level::trace, message, fields, at);
  }
  void log(Level level, std::string_view message, Fields fields,
           Location at = Location::current()) {
    if (enabled(level)) write(level, message, {fields.begin(), fields.size()}, at);
  }
  // A line with fields that were gathered one by one.
  void log_all(Level level, std::string_view message, std::span<const Field> fields,
               Location at = Location::current()) {
    if (enabled(level)) write(level, message, fields, at);
  }

  // Lines lost because the writer could not keep up.
  uint64_t dropped() const;

 private:
  struct Sink;
  Logger(int threshold, bool json, std::unique_ptr<Sink> sink);
  static std::shared_ptr<Logger> make(Options options, std::unique_ptr<Sink> sink);
  void write(Level level, std::string_view message, std::span<const Field> fields,
             const Location& at);

  std::atomic<int> threshold_;
  const bool json_;
  std::unique_ptr<Sink> sink_;
};

}  // namespace lattice::telemetry
