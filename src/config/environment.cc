#include <unistd.h>

#include "config/layers.h"

namespace lattice::config {
namespace {

constexpr std::string_view prefix = "LATTICE_";
constexpr std::string_view connection_name = "LATTICE_DB_CONNECTION";
constexpr std::string_view url_key = "backend.url";
constexpr std::string_view direct_url_key = "backend.direct_url";
constexpr std::string_view kind_key = "backend.kind";

// Short names that operators expect, and the key that each stands for.
struct Alias {
  std::string_view name;
  std::string_view key;
};
constexpr Alias aliases[] = {{"LATTICE_LOG_LEVEL", "telemetry.log_level"},
                             {connection_name, url_key}};

std::string_view key_of(std::string_view name) {
  for (const Alias& alias : aliases) {
    if (alias.name == name) return alias.key;
  }
  for (const Option& option : options()) {
    if (!is_pattern(option.key) && environment_name(option.key) == name) return option.key;
  }
  return {};
}

// A connection names the kind of its database too, whatever a weaker source said.
void follow_url(Loaded& loaded, const std::string& origin) {
  loaded.settings[std::string(kind_key)] = {Value(std::string("auto")), origin};
}

// Nor is it past that connection's pooler where a weaker source says another one is.
void drop_direct_url(Loaded& loaded, const std::string& origin) {
  loaded.settings[std::string(direct_url_key)] = {Value(std::string()), origin};
}

void warn_unknown(Loaded& loaded, const std::string& name) {
  std::vector<std::string> known;
  for (const Alias& alias : aliases) known.emplace_back(alias.name);
  for (const Option& option : options()) {
    if (!is_pattern(option.key)) known.push_back(environment_name(option.key));
  }
  std::string warning = "environment variable " + name + " is not known and has no effect";
  if (const auto meant = nearest(name, known)) warning += "; did you mean " + *meant + "?";
  loaded.warnings.push_back(std::move(warning));
}

}  // namespace

void add_text(Loaded& loaded, const Option& option, std::string_view text,
              const std::string& origin) {
  Parsed parsed = parse_text(option, text);
  if (parsed.value) parsed = check_value(option, std::move(*parsed.value));
  const std::string key(option.key);
  if (parsed.value) {
    loaded.settings[key] = {std::move(*parsed.value), origin};
  } else {
    loaded.problems.push_back({origin, key, parsed.problem});
  }
}

void add_environment(Loaded& loaded, const std::map<std::string, std::string>& environment) {
  std::map<std::string_view, std::string> given_by;
  for (const auto& [name, value] : environment) {
    if (!name.starts_with(prefix)) continue;
    std::string_view key = key_of(name);
    std::string text = value;
    if (key.empty() && name.ends_with("_FILE")) {
      key = key_of(std::string_view(name).substr(0, name.size() - 5));
      const bool secret = !key.empty() && find_option(key)->secret;
      if (secret) {
        const auto content = read_text_file(value);
        if (!content) {
          loaded.problems.push_back(
              {name, std::string(key), "cannot read the file \"" + value + "\""});
          continue;
        }
        text = *content;
      } else {
        key = {};
      }
    }
    if (key.empty()) {
      warn_unknown(loaded, name);
      continue;
    }
    const auto [earlier, is_first] = given_by.try_emplace(key, name);
    if (!is_first && loaded.settings[std::string(key)].value != Value(text)) {
      loaded.problems.push_back({name, std::string(key), "contradicts " + earlier->second});
      continue;
    }
    add_text(loaded, *find_option(key), text, name);
    if (name.starts_with(connection_name)) follow_url(loaded, name);
  }
  const auto url = given_by.find(url_key);
  if (url != given_by.end() && !given_by.contains(direct_url_key)) {
    drop_direct_url(loaded, url->second);
  }
}

void add_command_line(Loaded& loaded, const std::vector<Request::Flag>& flags) {
  for (const Request::Flag& flag : flags) {
    add_text(loaded, *find_option(flag.key), flag.text, flag.name);
    if (flag.key != url_key) continue;
    follow_url(loaded, flag.name);
    drop_direct_url(loaded, flag.name);
  }
}

std::map<std::string, std::string> process_environment() {
  std::map<std::string, std::string> out;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const size_t equals = text.find('=');
    if (equals != text.npos) out.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return out;
}

}  // namespace lattice::config
