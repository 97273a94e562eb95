// The registry: every configuration key once, with its type, default, range and help. Parsing,
// checking, the reference file and docs/configuration.md all read it.
//
// Thread: any; constant after start.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace lattice::config {

using Value = std::variant<bool, int64_t, std::string, std::vector<std::string>>;

enum class Kind : uint8_t { boolean, integer, text, choice, address, texts };

struct Option {
  std::string_view key;  // "listeners.grpc.bind"; the last dot ends the section
  Kind kind = Kind::boolean;
  std::string_view fallback;  // the default, as parse_text reads it
  std::string_view help;      // sentences, wrapped where they are printed
  int64_t min = 0;            // integers
  int64_t max = 0;
  std::string_view choices = {};  // "sync|async"
  bool auto_zero = false;         // an integer that also takes "auto", stored as 0
  bool secret = false;      // masked when printed; also read from the file named by <key>_file
  bool reloadable = false;  // SIGHUP applies it
  std::string_view example = {};  // what the reference file shows where the default teaches nothing
};

std::span<const Option> options();
const Option* find_option(std::string_view key);

// Of a section that there can be any number of, with names of their own.
inline constexpr std::string_view named_sections = "backends.";
inline constexpr std::string_view name_pattern = "backends.NAME.";
inline bool is_pattern(std::string_view key) { return key.starts_with(name_pattern); }

std::string_view section_of(std::string_view key);   // "listeners.grpc"; empty for top-level keys
std::string_view name_of(std::string_view key);      // "bind"
std::string environment_name(std::string_view key);  // "LATTICE_LISTENERS_GRPC_BIND"

// A value or the sentence that says what is wrong with it.
struct Parsed {
  std::optional<Value> value;
  std::string problem;
};

// `text` as the environment and the command line give it: lists are separated by commas.
Parsed parse_text(const Option& option, std::string_view text);
// Range, choices, address form.
Parsed check_value(const Option& option, Value value);
// What the option takes, for messages: `an integer from 1 to 100000`.
std::string expectation(const Option& option);

// As TOML: "text", 12, true, ["a", "b"].
std::string to_toml(const Value& value);

// "host:port" in its parts; nullopt when it is not that form. The host of "[::1]:1" is "::1".
struct Address {
  std::string host;
  uint16_t port = 0;
};
std::optional<Address> parse_address(std::string_view text);

}  // namespace lattice::config
