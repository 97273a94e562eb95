// The audit log's lines, and what becomes of them on files that are renamed, full, or read slowly.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backends/temp_folder.h"
#include "telemetry/audit_log.h"

namespace lattice::telemetry {
namespace {

// 2024-02-29T12:34:56.078Z
const std::chrono::system_clock::time_point leap_day{std::chrono::milliseconds(1709210096078)};

std::string body(AuditLine line) { return std::move(line).finish(leap_day); }

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    REQUIRE(end != text.npos);  // none is torn
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

// What docs/audit.md says: JSON's escapes first, then the log's own.
std::string decoded(const std::string& json_text) {
  std::string once;
  for (size_t i = 0; i < json_text.size(); ++i) {
    if (json_text[i] == '\\') ++i;
    once += json_text[i];
  }
  std::string bytes;
  for (size_t i = 0; i < once.size(); ++i) {
    if (once[i] != '\\') {
      bytes += once[i];
    } else if (once[i + 1] == '\\') {
      bytes += once[++i];
    } else {
      bytes += static_cast<char>(std::stoi(once.substr(i + 2, 2), nullptr, 16));
      i += 3;
    }
  }
  return bytes;
}

struct World {
  explicit World(const std::string& name = "audit.log") : path(folder.path() + "/" + name) {}

  void open(AuditLog::Options options = {}) {
    options.output = path;
    options.node = "n1";
    auto opened = AuditLog::open(std::move(options), registry, *logger);
    REQUIRE(opened.ok());
    log = std::move(*opened);
  }
  void put(const std::string& key) {
    AuditLine line = log->begin("change");
    line.text("key", key);
    log->write(std::move(line));
  }
  // False: there were too many.
  bool refuse(const std::string& key) {
    std::optional<AuditLine> line = log->begin_refusal();
    if (!line) return false;
    line->text("key", key);
    log->write_refusal(std::move(*line));
    return true;
  }
  int64_t metric(const std::string& name) const {
    const std::string text = registry.scrape();
    const size_t at = text.find("\n" + name + " ");
    REQUIRE(at != text.npos);
    return std::stoll(text.substr(at + name.size() + 2));
  }
  int64_t dropped() const { return metric("lattice_audit_dropped_total"); }
  bool failing() const { return metric("lattice_audit_failing") == 1; }
  bool written(int64_t lines) const { return metric("lattice_audit_lines_total") == lines; }

  backends::TempFolder folder;
  const std::string path;
  Registry registry;
  std::shared_ptr<Logger> logger = Logger::to_nowhere();
  std::unique_ptr<AuditLog> log;
};

bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 5000; ++i) {
    if (condition()) return true;
    poll(nullptr, 0, 2);
  }
  return false;
}

TEST_CASE("audit line: time, node and event come first, then the fields in order") {
  AuditLine line("n1", "change");
  line.text("key", "a/b \"c\"").number("n", -3).id("lease", 0x1f).flag("yes");
  line.milliseconds("took_ms", std::chrono::microseconds(12'005)).text_if("none", "");
  line.open_list("ops").open_object().text("k", "1").close_object();
  line.open_object().text("k", "2").close_object().close_list().number("m", 4);
  CHECK(body(std::move(line)) ==
        "{\"ts\":\"2024-02-29T12:34:56.078Z\",\"node\":\"n1\",\"event\":\"change\","
        "\"key\":\"a/b \\\"c\\\"\",\"n\":-3,\"lease\":\"000000000000001f\",\"yes\":true,"
        "\"took_ms\":12.005,\"ops\":[{\"k\":\"1\"},{\"k\":\"2\"}],\"m\":4}\n");
}

TEST_CASE("audit line: any bytes survive, in printable ASCII") {
  std::string bytes = "\\x00\\\\x";  // what looks like the encoding, too
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  AuditLine line("n1", "change");
  const std::string text = body(std::move(line.text("key", bytes)));
  for (const char c : text.substr(0, text.size() - 1)) REQUIRE((c >= 0x20 && c < 0x7f));
  const std::string mark = "\"key\":\"";
  const size_t begin = text.find(mark) + mark.size();
  CHECK(decoded(text.substr(begin, text.size() - 3 - begin)) == bytes);
}

TEST_CASE("audit line: long texts are cut, and it says so") {
  AuditLine line("n1", "change");
  line.text("key", std::string(5000, 'k'));
  const std::string text = body(std::move(line));
  CHECK(text.find(std::string(AuditLine::text_bytes_max, 'k') + "\",\"key_bytes\":5000}") !=
        text.npos);
  CHECK(text.size() < 1200);
}

TEST_CASE("audit log: lines arrive in order, in a file for its owner only") {
  World world;
  world.open();
  for (int i = 0; i < 1000; ++i) world.put(std::to_string(i));
  world.log.reset();  // writes what waits
  const std::vector<std::string> lines = lines_of(text_of(world.path));
  REQUIRE(lines.size() == 1000);
  for (size_t i = 0; i < lines.size(); ++i) {
    CHECK(lines[i].ends_with("\"key\":\"" + std::to_string(i) + "\"}"));
  }
  struct stat about {};
  REQUIRE(stat(world.path.c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0600);
  CHECK(world.written(1000));
}

TEST_CASE("audit log: appends to what is there") {
  World world;
  std::ofstream(world.path) << "{}\n";
  world.open();
  world.put("a");
  world.log.reset();
  CHECK(lines_of(text_of(world.path)).size() == 2);
}

TEST_CASE("audit log: a file that cannot be opened is an error at the start") {
  World world("missing/audit.log");
  const auto opened =
      AuditLog::open({.output = world.path, .node = "n1"}, world.registry, *world.logger);
  REQUIRE(!opened.ok());
  CHECK(opened.status().detail() == world.path + ": No such file or directory");
}

TEST_CASE("audit log: a renamed or deleted file is made anew") {
  World world;
  world.open();
  world.put("a");
  REQUIRE(eventually([&] { return world.written(1); }));
  std::filesystem::rename(world.path, world.path + ".1");
  world.put("b");
  REQUIRE(eventually([&] { return world.written(2); }));
  CHECK(lines_of(text_of(world.path + ".1")).size() == 1);
  CHECK(lines_of(text_of(world.path)).size() == 1);
  std::filesystem::remove(world.path);
  world.log->look_at_file();  // nobody writes
  CHECK(eventually([&] { return std::filesystem::exists(world.path); }));
}

TEST_CASE("audit log: a full disk loses nothing while lines fit into memory") {
  World world;
  std::filesystem::create_symlink("/dev/full", world.path);
  world.open({.required = true});
  CHECK(world.log->has_room());
  world.put("a");
  REQUIRE(eventually([&] { return world.failing(); }));
  CHECK_FALSE(world.log->has_room());
  CHECK(world.metric("lattice_audit_refused_changes_total") == 1);
  world.put("b");
  std::filesystem::remove(world.path);  // there is room again
  world.log->look_at_file();
  REQUIRE(eventually([&] { return !world.failing() && world.written(2); }));
  CHECK(world.log->has_room());
  CHECK(lines_of(text_of(world.path)).size() == 2);
  CHECK(world.dropped() == 0);
}

TEST_CASE("audit log: what stays full is given up at the end") {
  World world;
  std::filesystem::create_symlink("/dev/full", world.path);
  world.open();
  world.put("a");
  REQUIRE(eventually([&] { return world.failing(); }));
  world.log.reset();
  CHECK(world.written(0));
}

// A pipe that is read when the test wants it.
class SlowReader {
 public:
  explicit SlowReader(const std::string& path) {
    REQUIRE(mkfifo(path.c_str(), 0600) == 0);
    fd_ = ::open(path.c_str(), O_RDONLY | O_NONBLOCK);
  }
  ~SlowReader() { close(fd_); }
  void read_some() {
    char bytes[4096];
    ssize_t count = 0;
    while ((count = read(fd_, bytes, sizeof bytes)) > 0) {
      text_.append(bytes, static_cast<size_t>(count));
    }
  }
  const std::string& text() const { return text_; }

 private:
  int fd_ = -1;
  std::string text_;
};

TEST_CASE("audit log: nobody waits for a slow reader, and the log says what it lost") {
  World world;
  SlowReader reader(world.path);
  world.open({.waiting_bytes_max = 200'000, .refusals_per_second_max = 1'000'000});
  int64_t refused = 0;
  while (world.dropped() == 0) refused += world.refuse(std::string(1000, 'r'));
  CHECK(refused > 90);  // half of the room, and what the pipe itself takes
  CHECK(refused < 170);
  int64_t changes = 0;
  while (world.dropped() == 1) {
    world.put(std::string(1000, 'c'));
    ++changes;
  }
  CHECK(changes > 70);  // the other half
  REQUIRE(eventually([&] {
    reader.read_some();
    return world.written(refused + changes - 1);  // one of each was lost, and one loss told
  }));
  world.put("after");
  world.log.reset();
  reader.read_some();
  const std::vector<std::string> lines = lines_of(reader.text());
  REQUIRE(lines.size() == static_cast<size_t>(refused + changes + 1));
  for (const size_t at : {static_cast<size_t>(refused - 1), lines.size() - 2}) {
    CHECK(lines[at].ends_with("\"event\":\"dropped\",\"lines\":1}"));
  }
  CHECK(lines.back().ends_with("\"key\":\"after\"}"));
}

TEST_CASE("audit log: where it is required no change that was let in goes untold") {
  World world;
  SlowReader reader(world.path);
  world.open({.required = true, .waiting_bytes_max = 100'000});
  int64_t changes = 0;
  while (world.log->has_room()) {
    world.put(std::string(1000, 'c'));
    ++changes;
  }
  world.put("late");  // it was under way
  CHECK(world.dropped() == 0);
  REQUIRE(eventually([&] {
    reader.read_some();
    return world.written(changes + 1);
  }));
  CHECK(world.log->has_room());
}

TEST_CASE("audit log: refusals have a limit a second") {
  World world;
  world.open({.refusals_per_second_max = 10});
  int taken = 0;
  for (int i = 0; i < 100; ++i) taken += world.refuse("r");
  CHECK((taken == 10 || taken == 20));  // a second may begin meanwhile
  CHECK(world.dropped() == 100 - taken);
  world.put("a");
  world.log.reset();
  const std::string text = text_of(world.path);
  CHECK(text.find("\"event\":\"dropped\"") != text.npos);
}

}  // namespace
}  // namespace lattice::telemetry
