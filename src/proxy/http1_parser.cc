#include "proxy/http1_parser.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "proxy/ascii.h"
#include "proxy/http_dispatch.h"

namespace lattice::proxy {
namespace {

constexpr std::string_view head_end = "\r\n\r\n";
constexpr size_t chunk_line_max = 256;
constexpr size_t trailer_bytes_max = 8 << 10;

constexpr std::array<bool, 256> token_characters() {
  std::array<bool, 256> table{};
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<uint8_t>(c)] = true;
  for (int c = '0'; c <= '9'; ++c) table[static_cast<size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<size_t>(c)] = true;
  return table;
}

bool is_token(std::string_view text) {
  static constexpr std::array<bool, 256> is_token = token_characters();
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char c) { return is_token[static_cast<uint8_t>(c)]; });
}

bool is_field_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<uint8_t>(c);
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
}

bool is_visible(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<uint8_t>(c);
    return byte > 0x20 && byte < 0x7f;
  });
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Digits only: no sign, no space, no overflow.
bool parse_number(std::string_view text, int base, uint64_t* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value, base);
  return !text.empty() && error == std::errc() && end == text.data() + text.size();
}

}  // namespace

bool Http1Parser::fail(int status) {
  error_ = status;
  keep_alive_ = false;
  return false;
}

bool Http1Parser::take_expect_continue() { return std::exchange(expect_continue_, false); }

size_t Http1Parser::feed(std::string_view bytes) {
  size_t taken = 0;
  while (taken < bytes.size() && error_ == 0 && state_ != State::complete) {
    const std::string_view rest = bytes.substr(taken);
    bool line_done = false;
    switch (state_) {
      case State::head:
        taken += feed_head(rest);
        break;
      case State::body:
        taken += feed_body(rest);
        break;
      case State::chunk_data:
        taken += feed_chunk_data(rest);
        break;
      case State::chunk_size:
        taken += feed_line(rest, &line_done);
        if (line_done) on_chunk_size();
        break;
      case State::chunk_end:
        taken += feed_line(rest, &line_done);
        if (line_done && !line_.empty()) fail(400);
        if (line_done) state_ = State::chunk_size;
        break;
      case State::trailers:
        taken += feed_line(rest, &line_done);
        if (line_done) on_trailer();
        break;
      case State::complete:
        break;
    }
    if (line_done) line_.clear();
  }
  return taken;
}

size_t Http1Parser::feed_head(std::string_view bytes) {
  size_t skipped = 0;
  // RFC 9112 2.2: an empty line before the request is tolerated.
  if (line_.empty()) {
    while (skipped < bytes.size() && (bytes[skipped] == '\r' || bytes[skipped] == '\n')) ++skipped;
    bytes.remove_prefix(skipped);
  }
  const size_t searched_from =
      line_.size() < head_end.size() ? 0 : line_.size() - head_end.size() + 1;
  const size_t before = line_.size();
  line_.append(bytes);
  const size_t end = line_.find(head_end, searched_from);
  if (end == std::string::npos) {
    if (line_.size() > head_bytes_max_) fail(431);
    return skipped + bytes.size();
  }
  const size_t taken = end + head_end.size() - before;
  line_.resize(end);
  if (line_.size() > head_bytes_max_) {
    fail(431);
  } else {
    on_head();
  }
  line_.clear();
  return skipped + taken;
}

void Http1Parser::on_head() {
  std::string_view head = line_;
  const auto next_line = [&head] {
    const size_t end = head.find("\r\n");
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end == std::string_view::npos ? head.size() : end + 2);
    return line;
  };
  if (!parse_request_line(next_line())) return;
  while (!head.empty()) {
    if (!parse_field(next_line())) return;
  }
  if (!interpret_fields()) return;
  if (chunked_) {
    state_ = State::chunk_size;
  } else {
    state_ = body_left_ > 0 ? State::body : State::complete;
  }
  if (state_ == State::complete) expect_continue_ = false;
}

bool Http1Parser::parse_request_line(std::string_view line) {
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return fail(400);
  const std::string_view method = line.substr(0, first);
  const std::string_view version = line.substr(last + 1);
  if (!is_token(method)) return fail(400);
  if (!version.starts_with("HTTP/")) return fail(400);
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return fail(505);
  http_1_0_ = version == "HTTP/1.0";
  request_.method = method;
  return parse_target(line.substr(first + 1, last - first - 1));
}

bool Http1Parser::parse_target(std::string_view target) {
  if (!is_visible(target)) return fail(400);
  if (target == "*" && request_.method == "OPTIONS") {
    request_.path = target;
    return true;
  }
  // The form that proxies are sent.
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!starts_ignoring_case(target, scheme)) continue;
    target.remove_prefix(scheme.size());
    const size_t slash = target.find_first_of("/?");
    target = slash == std::string_view::npos ? "/" : target.substr(slash);
    break;
  }
  return split_target(target, &request_.path, &request_.query) || fail(400);
}

bool Http1Parser::parse_field(std::string_view line) {
  // A line that starts with a space (obs-fold) has no valid name either.
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return fail(400);
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = trim(line.substr(colon + 1));
  if (!is_token(name) || !is_field_value(value)) return fail(400);
  request_.headers.emplace_back(ascii_lower(name), value);
  return true;
}

bool Http1Parser::interpret_fields() {
  for (const auto& [name, value] : request_.headers) {
    if (!interpret_field(name, value)) return false;
  }
  if (chunked_ && (has_length_ || http_1_0_)) return fail(400);
  if (hosts_ > 1 || (hosts_ == 0 && !http_1_0_)) return fail(400);
  if (body_left_ > body_bytes_max_) return fail(413);
  keep_alive_ = !connection_close_ && (!http_1_0_ || connection_keep_alive_);
  return true;
}

bool Http1Parser::interpret_field(std::string_view name, std::string_view value) {
  if (name == "host") {
    ++hosts_;
  } else if (name == "content-length") {
    if (std::exchange(has_length_, true)) return fail(400);
    if (value.size() > 18 || !parse_number(value, 10, &body_left_)) return fail(400);
  } else if (name == "transfer-encoding") {
    if (chunked_) return fail(400);
    if (!equals_ignoring_case(value, "chunked")) return fail(501);
    chunked_ = true;
  } else if (name == "expect") {
    if (!equals_ignoring_case(value, "100-continue")) return fail(417);
    expect_continue_ = !http_1_0_;
  } else if (name == "connection") {
    for (std::string_view rest = value; !rest.empty();) {
      const size_t comma = std::min(rest.find(','), rest.size());
      const std::string_view option = trim(rest.substr(0, comma));
      if (equals_ignoring_case(option, "close")) connection_close_ = true;
      if (equals_ignoring_case(option, "keep-alive")) connection_keep_alive_ = true;
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }
  return true;
}

size_t Http1Parser::feed_body(std::string_view bytes) {
  const size_t taken = static_cast<size_t>(std::min<uint64_t>(bytes.size(), body_left_));
  request_.body.append(bytes.substr(0, taken));
  body_left_ -= taken;
  if (body_left_ == 0) state_ = State::complete;
  return taken;
}

size_t Http1Parser::feed_chunk_data(std::string_view bytes) {
  const size_t taken = static_cast<size_t>(std::min<uint64_t>(bytes.size(), body_left_));
  request_.body.append(bytes.substr(0, taken));
  body_left_ -= taken;
  if (body_left_ == 0) state_ = State::chunk_end;
  return taken;
}

size_t Http1Parser::feed_line(std::string_view bytes, bool* done) {
  const size_t end = bytes.find('\n');
  const size_t taken = end == std::string_view::npos ? bytes.size() : end + 1;
  line_.append(bytes.substr(0, taken));
  const size_t limit = state_ == State::trailers ? trailer_bytes_max : chunk_line_max;
  if (line_.size() > limit) {
    fail(400);
  } else if (line_.ends_with("\r\n")) {
    line_.resize(line_.size() - 2);
    *done = true;
  } else if (end != std::string_view::npos) {
    fail(400);
  }
  return taken;
}

void Http1Parser::on_chunk_size() {
  const std::string_view line = line_;
  const std::string_view size = line.substr(0, line.find(';'));
  if (!is_field_value(line) || size.size() > 15 || !parse_number(size, 16, &body_left_)) {
    fail(400);
    return;
  }
  if (body_left_ > body_bytes_max_ || request_.body.size() + body_left_ > body_bytes_max_) {
    fail(413);
    return;
  }
  state_ = body_left_ > 0 ? State::chunk_data : State::trailers;
}

void Http1Parser::on_trailer() {
  if (line_.empty()) {
    state_ = State::complete;
    return;
  }
  trailer_bytes_ += line_.size();
  const size_t colon = line_.find(':');
  const std::string_view line = line_;
  const bool valid = colon != std::string::npos && is_token(line.substr(0, colon)) &&
                     is_field_value(line.substr(colon + 1));
  if (!valid || trailer_bytes_ > trailer_bytes_max) fail(400);
}

HttpRequest Http1Parser::take() {
  HttpRequest request = std::move(request_);
  const bool keep_alive = keep_alive_;
  const bool http_1_0 = http_1_0_;
  *this = Http1Parser(head_bytes_max_, body_bytes_max_);
  // The answer to this request still needs them.
  keep_alive_ = keep_alive;
  http_1_0_ = http_1_0;
  return request;
}

}  // namespace lattice::proxy
