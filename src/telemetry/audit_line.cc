#include "telemetry/audit_line.h"

#include <charconv>
#include <cstring>

namespace lattice::telemetry {
namespace {

constexpr std::string_view digits = "0123456789abcdef";
// "2026-11-21T23:22:11.123Z" goes between the quotes when it is known.
constexpr std::string_view head = "{\"ts\":\"                        \"";
constexpr size_t time_at = 7;

void append_encoded(std::string* out, std::string_view bytes) {
  for (const char c : bytes) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\') {
      *out += c;
    } else if (c == '"') {
      *out += "\\\"";
    } else if (c == '\\') {
      *out += "\\\\\\\\";
    } else {
      const char escape[] = {'\\', '\\', 'x', digits[byte >> 4], digits[byte & 15]};
      out->append(escape, sizeof escape);
    }
  }
}

void append_number(std::string* out, int64_t value) {
  char text[24];
  out->append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

// `width` decimal digits at `at`.
void put_digits(char* at, int width, unsigned value) {
  for (int i = width - 1; i >= 0; --i) {
    at[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
}

void put_time(char* at, std::chrono::system_clock::time_point time) {
  using std::chrono::floor;
  const auto day = floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(floor<std::chrono::milliseconds>(time - day));
  std::memcpy(at, "0000-00-00T00:00:00.000Z", 24);
  put_digits(at, 4, static_cast<unsigned>(static_cast<int>(date.year())));
  put_digits(at + 5, 2, static_cast<unsigned>(date.month()));
  put_digits(at + 8, 2, static_cast<unsigned>(date.day()));
  put_digits(at + 11, 2, static_cast<unsigned>(clock.hours().count()));
  put_digits(at + 14, 2, static_cast<unsigned>(clock.minutes().count()));
  put_digits(at + 17, 2, static_cast<unsigned>(clock.seconds().count()));
  put_digits(at + 20, 3, static_cast<unsigned>(clock.subseconds().count()));
}

}  // namespace

AuditLine::AuditLine(std::string_view node, std::string_view event) {
  text_.reserve(512);
  text_ = head;
  text("node", node);
  text("event", event);
}

void AuditLine::key(std::string_view key) {
  if (text_.back() != '{') text_ += ',';
  text_ += '"';
  text_ += key;
  text_ += "\":";
}

AuditLine& AuditLine::text(std::string_view name, std::string_view bytes) {
  key(name);
  text_ += '"';
  append_encoded(&text_, bytes.substr(0, text_bytes_max));
  text_ += '"';
  if (bytes.size() > text_bytes_max) {
    number(std::string(name) + "_bytes", static_cast<int64_t>(bytes.size()));
  }
  return *this;
}

AuditLine& AuditLine::number(std::string_view name, int64_t value) {
  key(name);
  append_number(&text_, value);
  return *this;
}

AuditLine& AuditLine::id(std::string_view name, uint64_t value) {
  key(name);
  text_ += '"';
  for (int shift = 60; shift >= 0; shift -= 4) text_ += digits[value >> shift & 15];
  text_ += '"';
  return *this;
}

AuditLine& AuditLine::milliseconds(std::string_view name, Duration value) {
  key(name);
  const auto micros = std::chrono::floor<std::chrono::microseconds>(value).count();
  append_number(&text_, micros / 1000);
  char fraction[] = ".000";
  put_digits(fraction + 1, 3, static_cast<unsigned>(micros % 1000));
  text_.append(fraction, 4);
  return *this;
}

AuditLine& AuditLine::flag(std::string_view name) {
  key(name);
  text_ += "true";
  return *this;
}

AuditLine& AuditLine::open_list(std::string_view name) {
  key(name);
  text_ += '[';
  return *this;
}

AuditLine& AuditLine::open_object() {
  if (text_.back() == '}') text_ += ',';
  text_ += '{';
  return *this;
}

AuditLine& AuditLine::close_object() {
  text_ += '}';
  return *this;
}

AuditLine& AuditLine::close_list() {
  text_ += ']';
  return *this;
}

std::string AuditLine::finish(std::chrono::system_clock::time_point time) && {
  put_time(text_.data() + time_at, time);
  text_ += "}\n";
  return std::move(text_);
}

}  // namespace lattice::telemetry
