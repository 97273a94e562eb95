#include "cli/man_page.h"

namespace lattice::cli {
namespace {

// Text as roff takes it: no escapes, no request at the start of a line.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if (c == '\n') {
      out += ' ';
    } else {
      if (out.empty() && (c == '.' || c == '\'')) out += "\\&";
      out += c;
    }
  }
  return out;
}

void add_option(const CLI::Option& option, std::string* out) {
  const bool takes_value = option.get_items_expected_max() > 0;
  *out +=
      ".TP\n\\fB" + escaped(option.get_name(/*positional=*/false, /*all_options=*/true)) + "\\fR";
  if (takes_value && option.nonpositional()) {
    *out += " \\fI" + escaped(option.get_type_name()) + "\\fR";
  }
  *out += "\n" + escaped(option.get_description());
  if (!option.get_default_str().empty()) *out += " (" + escaped(option.get_default_str()) + ")";
  if (!option.get_envname().empty()) *out += " [$" + escaped(option.get_envname()) + "]";
  *out += "\n";
}

void add_command(const CLI::App& app, const std::string& words, std::string* out) {
  const auto below = app.get_subcommands({});
  if (below.empty()) {
    *out += ".SS " + escaped(words);
    for (const CLI::Option* option : app.get_options()) {
      if (option->get_positional()) *out += " " + escaped(option->get_name(true));
    }
    *out += "\n" + escaped(app.get_description()) + ".\n";
    for (const CLI::Option* option : app.get_options()) add_option(*option, out);
  }
  for (const CLI::App* each : below) add_command(*each, words + " " + each->get_name(), out);
}

}  // namespace

std::string man_page(const CLI::App& app, std::string_view version) {
  std::string out = ".TH LATTICE 1 \"\" \"lattice " + escaped(version) + "\" \"User Commands\"\n";
  out += ".SH NAME\nlattice \\- " + escaped(app.get_description()) + "\n";
  out += ".SH SYNOPSIS\n.B lattice\n\\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n";
  out += ".SH DESCRIPTION\n";
  out +=
      "Serves the etcd v3 API to any etcd client. The data is kept in PostgreSQL, where several\n"
      "servers can share it, or in an SQLite file.\n";
  out += ".SH COMMANDS\n";
  add_command(app, "lattice", &out);
  out += ".SH FILES\n.TP\n\\fI/etc/lattice/lattice.toml\\fR\nThe configuration, by convention: ";
  out += "\\fB\\-\\-config\\fR names it.\n";
  out +=
      ".SH EXIT STATUS\n0: success; 1: a failure; 2: wrong usage; 69: the database cannot be had;\n"
      "77: not permitted; 78: the configuration is wrong.\n";
  out += ".SH SEE ALSO\n.BR etcdctl (1)\n";
  return out;
}

}  // namespace lattice::cli
