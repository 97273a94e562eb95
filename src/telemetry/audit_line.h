// One line of the audit log in the making: a JSON object whose fields are appended one by one
// (docs/audit.md has their meaning).
//
// Thread: one owner; a value.
// Invariants: ASCII only, one line, whatever bytes go in. Values of keys, passwords and tokens
// never
//   go in: callers name what is shown, field by field.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/time.h"

namespace lattice::telemetry {

class AuditLine {
 public:
  // Longer texts are cut; what was there is told as `<key>_bytes`.
  static constexpr size_t text_bytes_max = 1024;

  // `event`: one of docs/audit.md's.
  AuditLine(std::string_view node, std::string_view event);

  // Printable ASCII stands for itself but for the backslash, which is doubled; every other byte is
  // \xNN. (JSON then doubles these backslashes once more.)
  AuditLine& text(std::string_view key, std::string_view bytes);
  // As text(), left out if empty.
  AuditLine& text_if(std::string_view key, std::string_view bytes) {
    return bytes.empty() ? *this : text(key, bytes);
  }
  AuditLine& number(std::string_view key, int64_t value);
  AuditLine& revision(Revision revision) { return number("revision", revision.value); }
  // As clients print ids: 16 hexadecimal digits.
  AuditLine& id(std::string_view key, uint64_t value);
  AuditLine& lease(LeaseId lease) { return id("lease", static_cast<uint64_t>(lease.value)); }
  AuditLine& milliseconds(std::string_view key, Duration value);
  AuditLine& flag(std::string_view key);
  // A list of objects, `{` and `}` around the fields of each.
  AuditLine& open_list(std::string_view key);
  AuditLine& open_object();
  AuditLine& close_object();
  AuditLine& close_list();
  size_t size() const { return text_.size(); }

  // The whole line with its newline; the time stands in front. Ends the line.
  std::string finish(std::chrono::system_clock::time_point time) &&;

 private:
  void key(std::string_view key);

  std::string text_;
};

}  // namespace lattice::telemetry
