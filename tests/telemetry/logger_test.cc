#include "telemetry/logger.h"

#include <doctest/doctest.h>

#include <cmath>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "telemetry/log_line.h"

namespace lattice::telemetry {
namespace {

// 2024-02-29T12:34:56.000000789Z
const std::chrono::system_clock::time_point leap_day{std::chrono::nanoseconds(1709210096000000789)};

LogEvent event(std::string_view message, std::initializer_list<Field> fields) {
  return {Level::warn, leap_day, "/some/where/src/server/server.cc", 42, message, fields};
}

// A logger whose lines end up in a vector once it is gone.
std::vector<std::string> lines_of(Logger::Options options,
                                  const std::function<void(Logger&)>& use) {
  std::vector<std::string> lines;
  auto logger =
      Logger::to_function(options, [&](std::string_view line) { lines.emplace_back(line); });
  use(*logger);
  logger.reset();
  return lines;
}

TEST_CASE("a JSON line carries level, time, caller, message and typed fields") {
  CHECK(json_line(event("slow request", {{"method", "Range"},
                                         {"count", 3},
                                         {"bytes", uint64_t{18446744073709551615u}},
                                         {"ratio", 0.5},
                                         {"ok", true},
                                         {"took_s", std::chrono::milliseconds(1500)}})) ==
        R"({"level":"warn","ts":"2024-02-29T12:34:56.000000789Z","caller":"server/server.cc:42",)"
        R"("msg":"slow request","method":"Range","count":3,"bytes":18446744073709551615,)"
        R"("ratio":0.5,"ok":true,"took_s":1.5})");
}

TEST_CASE("JSON escapes quotes, control bytes and bytes that are not UTF-8") {
  const std::string_view nasty("a\"b\\c\n\x01\xff\xc3\xa4\xed\xa0\x80", 13);
  const std::string line = json_line(event(nasty, {}));
  CHECK(line.find(R"("msg":"a\"b\\c\n\u0001\u00ff)"
                  "\xc3\xa4"
                  R"(\u00ed\u00a0\u0080")") != line.npos);
}

TEST_CASE("JSON has no bare infinities") {
  const std::string line =
      json_line(event("m", {{"a", std::numeric_limits<double>::infinity()}, {"b", std::nan("")}}));
  CHECK(line.find(R"("a":"+Inf","b":"NaN")") != line.npos);
}

TEST_CASE("a plain line quotes only what needs it") {
  CHECK(plain_line(event("listening", {{"address", "127.0.0.1:2379"},
                                       {"note", "two words"},
                                       {"empty", ""},
                                       {"took_s", std::chrono::microseconds(250)}})) ==
        "2024-02-29T12:34:56.000000789Z warn  server/server.cc:42 listening "
        "address=127.0.0.1:2379 note=\"two words\" empty=\"\" took_s=0.00025");
}

TEST_CASE("no message or field can forge a second plain line") {
  const std::string line = plain_line(event("a\nb", {{"k", "c\nd"}}));
  CHECK(line.find('\n') == line.npos);
}

TEST_CASE("a status field shows its detail") {
  const Status status(Error::io, "disk on fire");
  CHECK(plain_line(event("m", {{"error", status}})).ends_with("error=\"disk on fire\""));
  CHECK(plain_line(event("m", {{"revision", Revision(7)}})).ends_with("revision=7"));
}

TEST_CASE("levels below the threshold are not written, and the threshold moves at run time") {
  const auto lines = lines_of({Level::info, false}, [](Logger& log) {
    log.debug("hidden");
    log.info("first");
    log.set_level(Level::trace);
    CHECK(log.enabled(Level::trace));
    log.trace("second");
    log.set_level(Level::error);
    log.warn("hidden too");
    log.error("third");
  });
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].ends_with("first"));
  CHECK(lines[1].ends_with("second"));
  CHECK(lines[2].ends_with("third"));
}

TEST_CASE("the caller is the place that logged") {
  const auto lines = lines_of({Level::info, true}, [](Logger& log) { log.info("here"); });
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].find("\"caller\":\"telemetry/logger_test.cc:") != lines[0].npos);
}

TEST_CASE("lines from many threads arrive whole") {
  const auto lines = lines_of({Level::info, true}, [](Logger& log) {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&log, t] {
        for (int i = 0; i < 500; ++i) log.info("line", {{"thread", t}, {"i", i}});
      });
    }
  });
  CHECK(lines.size() == 2000);
  for (const std::string& line : lines) CHECK(line.ends_with("}"));
}

TEST_CASE("a writer that stands still costs lines, never the caller's time") {
  std::mutex mutex;
  std::condition_variable moved;
  bool released = false;
  auto logger = Logger::to_function({Level::info, false}, [&](std::string_view) {
    std::unique_lock lock(mutex);
    moved.wait(lock, [&] { return released; });
  });
  for (int i = 0; i < 20000; ++i) logger->info("line");
  CHECK(logger->dropped() > 0);
  {
    std::lock_guard lock(mutex);
    released = true;
  }
  moved.notify_all();
}

TEST_CASE("the silent logger takes everything") {
  auto logger = Logger::to_nowhere();
  CHECK_FALSE(logger->enabled(Level::error));
  logger->error("gone");
  CHECK(logger->dropped() == 0);
}

TEST_CASE("level names round-trip") {
  for (const auto name : {"error", "warn", "info", "debug", "trace"}) {
    const auto level = parse_level(name);
    REQUIRE(level);
    CHECK(level_name(*level) == name);
  }
  CHECK_FALSE(parse_level("INFO"));
  CHECK_FALSE(parse_level(""));
}

}  // namespace
}  // namespace lattice::telemetry
