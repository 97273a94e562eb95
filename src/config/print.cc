#include "config/print.h"

namespace lattice::config {
namespace {

constexpr size_t column_max = 100;
constexpr std::string_view mask = "********";

// Help in lines that start with `lead` and keep to the column limit.
std::string wrapped(std::string_view text, std::string_view lead) {
  std::string out;
  std::string line(lead);
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.size() + 1 + word.size() > column_max) {
      out += line + "\n";
      line = lead;
    }
    line.append(" ").append(word);
  }
  return out + line + "\n";
}

Value fallback_value(const Option& option) { return *parse_text(option, option.fallback).value; }

std::string shown_fallback(const Option& option) {
  return option.auto_zero ? "\"auto\"" : to_toml(fallback_value(option));
}

Value example_value(const Option& option) {
  return *parse_text(option, option.example.empty() ? option.fallback : option.example).value;
}

// Calls visit(option, whether its section starts here) for every option.
template <class Visit>
void for_each_option(Visit visit) {
  std::string_view section;
  for (const Option& option : options()) {
    const bool starts = section_of(option.key) != section;
    section = section_of(option.key);
    visit(option, starts);
  }
}

std::string reference_entry(const Option& option) {
  std::string out = wrapped(option.help, "#");
  std::string facts = "Takes " + expectation(option) + "; default " + shown_fallback(option) + ".";
  if (option.secret) {
    facts += " " + std::string(name_of(option.key)) + "_file names a file that holds it.";
  }
  out += wrapped(facts, "#");
  // What is only an example (secrets, files and servers that must exist) stays commented out.
  const bool commented = option.secret || is_pattern(option.key) ||
                         option.example.starts_with('/') ||
                         option.example.find("://") != option.example.npos;
  out += commented ? "#" : "";
  out += std::string(name_of(option.key)) + " = ";
  out += option.auto_zero && option.example.empty() ? shown_fallback(option)
                                                    : to_toml(example_value(option));
  return out + "\n\n";
}

std::string markdown_cell(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '|' ? std::string("\\|") : std::string(1, c);
  return out;
}

}  // namespace

std::string masked(std::string_view secret) {
  if (secret.empty()) return {};
  const size_t scheme = secret.find("://");
  if (scheme == secret.npos) return std::string(mask);
  const size_t authority = scheme + 3;
  const size_t authority_end = std::min(secret.find('/', authority), secret.size());
  const size_t at = secret.substr(0, authority_end).rfind('@');
  const size_t colon = secret.find(':', authority);
  std::string out(secret);
  // A password may also travel as a parameter: show nothing behind the question mark.
  if (const size_t query = out.find('?'); query != out.npos) out.resize(query);
  if (at != secret.npos && at >= authority && colon < at) {
    out = out.substr(0, colon + 1) + std::string(mask) + out.substr(at);
  }
  return out;
}

std::string effective_toml(const Settings& settings) {
  std::string out;
  const auto show = [&](const Option& option, const std::string& key, bool starts_section) {
    const Setting& setting = settings.find(key)->second;
    if (starts_section) out += "\n[" + std::string(section_of(key)) + "]\n";
    std::string value = to_toml(setting.value);
    if (option.auto_zero && setting.value == Value(int64_t{0})) value = "\"auto\"";
    if (option.secret) value = to_toml(Value(masked(std::get<std::string>(setting.value))));
    out += std::string(name_of(key)) + " = " + value + "  # " + setting.origin + "\n";
  };
  for_each_option([&](const Option& option, bool starts_section) {
    if (!is_pattern(option.key)) show(option, std::string(option.key), starts_section);
  });
  std::string_view section;
  for (const auto& [key, setting] : settings) {
    if (!key.starts_with(named_sections) || is_pattern(key)) continue;
    const std::string pattern = std::string(name_pattern) + std::string(name_of(key));
    show(*find_option(pattern), key, section_of(key) != section);
    section = section_of(key);
  }
  return out;
}

std::string reference_toml() {
  std::string out =
      "# Every configuration key of Lattice. A later source wins: the defaults, this file,\n"
      "# lattice.local.toml beside it, LATTICE_<SECTION>_<KEY> in the environment, the command "
      "line.\n"
      "# \"${NAME}\" in a value is read from the environment; \"$${\" is a plain \"${\".\n"
      "# Written by: lattice config reference --format toml\n\n";
  for_each_option([&](const Option& option, bool starts_section) {
    if (starts_section && is_pattern(option.key)) out += "#";
    if (starts_section) out += "[" + std::string(section_of(option.key)) + "]\n";
    out += reference_entry(option);
  });
  out.pop_back();
  return out;
}

std::string reference_markdown() {
  std::string out =
      "# Configuration\n\n"
      "`lattice start --config lattice.toml` reads one TOML file. A later source wins: the "
      "defaults, the\n"
      "file, `lattice.local.toml` beside it, the environment, the command line. Every key can be "
      "set as\n"
      "`LATTICE_<SECTION>_<KEY>`; `LATTICE_ENV`, `LATTICE_LOG_LEVEL` and `LATTICE_DB_CONNECTION` "
      "are short\n"
      "names. `${NAME}` in a value of a file is read from the environment. Secrets can be given as "
      "the name\n"
      "of a file that holds them: `url_file`, `LATTICE_BACKEND_URL_FILE`.\n\n"
      "Unknown keys, wrong types and values out of range stop the start with exit status 78; all "
      "mistakes\n"
      "are listed at once, with file, line and what would be valid. A value that asks for what "
      "this build\n"
      "lacks is refused in the same way, never ignored. Unknown `LATTICE_*` variables only "
      "warn.\n\n"
      "`lattice config validate --config F --print` shows what is in force and where each value "
      "came from.\n"
      "`config/lattice.toml` is this table as a file. Both are written by `lattice config "
      "reference`.\n";
  for_each_option([&](const Option& option, bool starts_section) {
    const std::string section(section_of(option.key));
    if (starts_section || section.empty()) {
      out += "\n## " + (section.empty() ? std::string("Top level") : "[" + section + "]") + "\n\n";
      out += "| key | takes | default | |\n|---|---|---|---|\n";
    }
    std::string help(option.help);
    if (option.reloadable) help += " Reloadable with SIGHUP.";
    out += "| `" + std::string(name_of(option.key)) + "` | " + markdown_cell(expectation(option)) +
           " | `" + shown_fallback(option) + "` | " + markdown_cell(help) + " |\n";
  });
  return out;
}

}  // namespace lattice::config
