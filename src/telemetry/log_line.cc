#include "telemetry/log_line.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>

namespace lattice::telemetry {
namespace {

void append_time(std::string& out, std::chrono::system_clock::time_point time) {
  const auto since_epoch =
      std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
  const time_t seconds = since_epoch / 1'000'000'000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[64];
  const size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  out.append(text, length);
  std::snprintf(text, sizeof text, ".%09lldZ", static_cast<long long>(since_epoch % 1'000'000'000));
  out += text;
}

// "server/server.cc:42".
void append_caller(std::string& out, const LogEvent& event) {
  std::string_view file = event.file;
  if (size_t slash = file.rfind('/'); slash != file.npos && slash > 0) {
    slash = file.rfind('/', slash - 1);
    if (slash != file.npos) file.remove_prefix(slash + 1);
  }
  out += file;
  out += ':';
  out += std::to_string(event.line);
}

// Length of the valid UTF-8 sequence that starts `text`, 0 when there is none.
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xf0 && lead <= 0xf4  ? 4
                        : lead >= 0xe0 && lead < 0xf0 ? 3
                        : lead >= 0xc2 && lead < 0xe0 ? 2
                                                      : 0;
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  // Overlong forms, surrogates and what lies above U+10FFFF.
  if (lead == 0xe0 && byte(1) < 0xa0) return 0;
  if (lead == 0xed && byte(1) > 0x9f) return 0;
  if (lead == 0xf0 && byte(1) < 0x90) return 0;
  if (lead == 0xf4 && byte(1) > 0x8f) return 0;
  return length;
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    const auto byte = static_cast<uint8_t>(text[0]);
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += text[0];
    } else if (byte == '\n') {
      out += "\\n";
    } else if (byte == '\t') {
      out += "\\t";
    } else if (length == 0 || byte < 0x20 || byte == 0x7f) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", byte);
      out += escape;
    } else {
      out.append(text.substr(0, length));
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out += '"';
}

void append_double(std::string& out, double value, bool json) {
  if (json && !std::isfinite(value)) {
    out += std::isnan(value) ? "\"NaN\"" : value > 0 ? "\"+Inf\"" : "\"-Inf\"";
    return;
  }
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value);
  out.append(text, end.ptr);
}

bool needs_quotes(std::string_view text) {
  if (text.empty()) return true;
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte <= ' ' || byte >= 0x7f || c == '"' || c == '=' || c == '\\') return true;
  }
  return false;
}

struct AppendValue {
  std::string& out;
  bool json;

  void operator()(std::string_view text) const {
    if (json || needs_quotes(text)) {
      append_quoted(out, text);
    } else {
      out += text;
    }
  }
  void operator()(int64_t value) const { out += std::to_string(value); }
  void operator()(uint64_t value) const { out += std::to_string(value); }
  void operator()(double value) const { append_double(out, value, json); }
  void operator()(bool value) const { out += value ? "true" : "false"; }
  void operator()(Duration value) const {
    append_double(out, std::chrono::duration<double>(value).count(), json);
  }
};

}  // namespace

std::string json_line(const LogEvent& event) {
  std::string out = "{\"level\":\"";
  out.reserve(256);
  out += level_name(event.level);
  out += "\",\"ts\":\"";
  append_time(out, event.time);
  out += "\",\"caller\":\"";
  append_caller(out, event);
  out += "\",\"msg\":";
  append_quoted(out, event.message);
  for (const Field& field : event.fields) {
    out += ',';
    append_quoted(out, field.key());
    out += ':';
    std::visit(AppendValue{out, true}, field.value());
  }
  out += '}';
  return out;
}

std::string plain_line(const LogEvent& event) {
  std::string out;
  out.reserve(256);
  append_time(out, event.time);
  out += ' ';
  const size_t level_at = out.size();
  out += level_name(event.level);
  out.resize(level_at + 6, ' ');
  append_caller(out, event);
  out += ' ';
  // A message is our own text, but what it quotes may not be: no second line may be forged.
  for (const char c : event.message) out += static_cast<uint8_t>(c) < 0x20 ? ' ' : c;
  for (const Field& field : event.fields) {
    out += ' ';
    out += field.key();
    out += '=';
    std::visit(AppendValue{out, false}, field.value());
  }
  return out;
}

}  // namespace lattice::telemetry
