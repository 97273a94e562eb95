#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "base/tenant_name.h"
#include "config/config.h"
#include "config/layers.h"

namespace lattice::config {
namespace {

std::string_view type_name(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a section";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a decimal number";
    case toml::node_type::boolean:
      return "a boolean";
    default:
      return "a date or time";
  }
}

class FileReader {
 public:
  FileReader(Loaded& loaded, std::string path, const Lookup& environment)
      : loaded_(loaded), path_(std::move(path)), environment_(environment) {}

  void read_section(const toml::table& table, const std::string& section) {
    for (const auto& [name, node] : table) {
      const std::string key = (section.empty() ? "" : section + ".") + std::string(name.str());
      if (section == "backends" && node.is_table()) {
        read_named(*node.as_table(), key, std::string(name.str()), name.source());
        continue;
      }
      const Option* option = find_option(key);
      if (option != nullptr) {
        read_option(*option, node);
      } else if (const Option* secret = secret_of_file(key)) {
        read_secret_file(*secret, key, node);
      } else if (node.is_table() && is_section(key)) {
        read_section(*node.as_table(), key);
      } else {
        refuse_unknown(section, std::string(name.str()), node, name.source());
      }
    }
  }

  void problem(const toml::source_region& at, const std::string& key, std::string message) {
    loaded_.problems.push_back(
        {place(at) + ":" + std::to_string(at.begin.column), key, std::move(message)});
  }

 private:
  // [backends.NAME]: the options of the pattern, each under the section's own name.
  void read_named(const toml::table& table, const std::string& section, const std::string& name,
                  const toml::source_region& at) {
    if (!is_tenant_name(name) || name == default_backend || name == "NAME") {
      return problem(at, section,
                     "expected a name of letters, digits, '.', '_' and '-' for a "
                     "further database; \"default\" is [backend]");
    }
    if (table.empty()) problem(at, section, "expected a url");
    instance_ = section + ".";
    read_section(table, std::string(name_pattern.substr(0, name_pattern.size() - 1)));
    instance_.clear();
  }
  // The key under which an option of the file is kept.
  std::string key_of(const Option& option) const {
    if (!is_pattern(option.key)) return std::string(option.key);
    return instance_ + std::string(name_of(option.key));
  }

  static bool is_section(std::string_view name) {
    for (const Option& option : options()) {
      const std::string_view section = section_of(option.key);
      if (section == name) return true;
      if (section.starts_with(name) && section.substr(name.size()).starts_with('.')) return true;
    }
    return false;
  }

  static const Option* secret_of_file(std::string_view key) {
    if (!key.ends_with("_file")) return nullptr;
    const Option* option = find_option(key.substr(0, key.size() - 5));
    return option != nullptr && option->secret ? option : nullptr;
  }

  std::string place(const toml::source_region& at) const {
    return path_ + ":" + std::to_string(at.begin.line);
  }

  void refuse_unknown(const std::string& section, const std::string& name, const toml::node& node,
                      const toml::source_region& at) {
    // Names that would be valid in this section: its keys and the sections below it.
    std::set<std::string> valid;
    const std::string prefix = section.empty() ? "" : section + ".";
    for (const Option& option : options()) {
      if (!option.key.starts_with(prefix)) continue;
      const std::string_view rest = option.key.substr(prefix.size());
      valid.emplace(rest.substr(0, rest.find('.')));
    }
    const std::vector<std::string> candidates(valid.begin(), valid.end());
    std::string message = node.is_table() ? "unknown section" : "unknown key";
    if (const auto meant = nearest(name, candidates))
      message += "; did you mean \"" + *meant + "\"?";
    message += (message.back() == '?' ? " Valid here: " : "; valid here: ");
    for (size_t i = 0; i < candidates.size(); ++i) message += (i ? ", " : "") + candidates[i];
    problem(at, prefix + name, std::move(message));
  }

  // Expands ${NAME}; nullopt when a name is not set, which is then a problem.
  std::optional<std::string> expanded(const Option& option, const toml::node& node,
                                      const std::string& text) {
    std::string missing;
    std::string out = expand(text, environment_, missing);
    if (missing.empty()) return out;
    problem(node.source(), std::string(option.key),
            "the environment has no variable " + missing + " (write $${ for a plain ${)");
    return std::nullopt;
  }

  void read_option(const Option& option, const toml::node& node) {
    const std::string key = key_of(option);
    std::optional<Value> value;
    if (const auto text = node.value_exact<std::string>()) {
      const auto content = expanded(option, node, *text);
      if (!content) return;
      const bool is_text = option.kind != Kind::integer && option.kind != Kind::boolean &&
                           option.kind != Kind::texts;
      const bool from_environment = *content != *text;
      if (is_text || from_environment || (option.auto_zero && *content == "auto")) {
        const Parsed parsed = parse_text(option, *content);
        if (!parsed.value) return problem(node.source(), key, parsed.problem);
        value = parsed.value;
      }
    } else if (option.kind == Kind::boolean && node.is_boolean()) {
      value = *node.value_exact<bool>();
    } else if (option.kind == Kind::integer && node.is_integer()) {
      value = *node.value_exact<int64_t>();
    } else if (option.kind == Kind::texts && node.is_array()) {
      value = read_list(option, node);
      if (!value) return;
    }
    if (!value) {
      return problem(node.source(), key,
                     "expected " + expectation(option) + ", got " + std::string(type_name(node)));
    }
    keep(option, node, std::move(*value));
  }

  std::optional<Value> read_list(const Option& option, const toml::node& node) {
    std::vector<std::string> list;
    for (const toml::node& item : *node.as_array()) {
      const auto text = item.value_exact<std::string>();
      if (!text) {
        problem(item.source(), std::string(option.key),
                "expected a list of strings, got " + std::string(type_name(item)) + " in it");
        return std::nullopt;
      }
      auto content = expanded(option, item, *text);
      if (!content) return std::nullopt;
      list.push_back(std::move(*content));
    }
    return Value(std::move(list));
  }

  void read_secret_file(const Option& option, const std::string& key, const toml::node& node) {
    const auto path = node.value_exact<std::string>();
    if (!path) return problem(node.source(), key, "expected the name of a file");
    const auto content = read_text_file(*path);
    if (!content) return problem(node.source(), key, "cannot read the file \"" + *path + "\"");
    keep(option, node, Value(*content));
  }

  void keep(const Option& option, const toml::node& node, Value value) {
    const std::string key = key_of(option);
    if (!seen_.insert(key).second) {
      return problem(node.source(), key, "given twice: as " + key + " and as " + key + "_file");
    }
    Parsed checked = check_value(option, std::move(value));
    if (!checked.value) return problem(node.source(), key, checked.problem);
    loaded_.settings[key] = {std::move(*checked.value), place(node.source())};
  }

  Loaded& loaded_;
  const std::string path_;
  const Lookup& environment_;
  std::set<std::string> seen_;
  std::string instance_;  // "backends.hot." in such a section
};

}  // namespace

std::optional<std::string> read_text_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  // An empty file sets failbit on the copy, so only the open is asked.
  if (!file.is_open() || std::filesystem::is_directory(path)) return std::nullopt;
  content << file.rdbuf();
  std::string text = content.str();
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

std::string expand(std::string_view text, const Lookup& environment, std::string& missing) {
  std::string out;
  while (!text.empty()) {
    const size_t start = text.find("${");
    if (start == text.npos) break;
    if (start > 0 && text[start - 1] == '$') {
      out.append(text.substr(0, start)).append("{");
      text.remove_prefix(start + 2);
      continue;
    }
    const size_t end = text.find('}', start);
    if (end == text.npos) break;
    const std::string_view name = text.substr(start + 2, end - start - 2);
    const auto value = environment(name);
    if (!value && missing.empty())
      missing = name.empty() ? "with an empty name" : std::string(name);
    out.append(text.substr(0, start)).append(value.value_or(""));
    text.remove_prefix(end + 1);
  }
  return out.append(text);
}

void add_file(Loaded& loaded, const std::string& path, bool optional, const Lookup& environment) {
  std::error_code ignored;
  if (optional && !std::filesystem::exists(path, ignored)) return;
  const auto text = read_text_file(path);
  if (!text) {
    loaded.problems.push_back({path, "", "cannot read the configuration file"});
    return;
  }
  FileReader reader(loaded, path, environment);
  const toml::parse_result parsed = toml::parse(*text, path);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    reader.problem(error.source(), "", "not TOML: " + std::string(error.description()));
    return;
  }
  reader.read_section(parsed.table(), "");
}

}  // namespace lattice::config
