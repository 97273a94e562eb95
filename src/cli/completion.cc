#include "cli/completion.h"

#include <vector>

namespace lattice::cli {
namespace {

struct Command {
  std::string words;  // "tenant create"; empty: none yet
  std::string help;
  const CLI::App* app;
};

void collect(const CLI::App& app, const std::string& words, std::vector<Command>* out) {
  out->push_back({words, app.get_description(), &app});
  for (const CLI::App* each : app.get_subcommands({})) {
    collect(*each, words.empty() ? each->get_name() : words + " " + each->get_name(), out);
  }
}

std::vector<std::string> flags_of(const CLI::App& app) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
  }
  return flags;
}

// What may follow: further commands, then flags.
std::vector<std::string> next_words(const CLI::App& app) {
  std::vector<std::string> words;
  for (const CLI::App* each : app.get_subcommands({})) words.push_back(each->get_name());
  for (std::string& flag : flags_of(app)) words.push_back(std::move(flag));
  return words;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

// In single quotes, for any of the three shells.
std::string in_quotes(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

// The words before the cursor that are no flags name the command; a file may follow any flag.
std::string bash_script(const std::vector<Command>& commands) {
  std::string out =
      "# bash completion for lattice: source it, or put it where bash-completion looks.\n"
      "_lattice() {\n"
      "  local cur=${COMP_WORDS[COMP_CWORD]} words='' word\n"
      "  for word in \"${COMP_WORDS[@]:1:$((COMP_CWORD-1))}\"; do\n"
      "    case \" $(_lattice_next \"$words\") \" in\n"
      "      *\" $word \"*) case $word in -*) ;; *) words=\"${words:+$words }$word\" ;; esac ;;\n"
      "    esac\n"
      "  done\n"
      "  COMPREPLY=($(compgen -W \"$(_lattice_next \"$words\")\" -- \"$cur\"))\n"
      "  [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- \"$cur\"))\n"
      "}\n"
      "_lattice_next() {\n"
      "  case $1 in\n";
  for (const Command& command : commands) {
    out += "    " + in_quotes(command.words) + ") echo " +
           in_quotes(joined(next_words(*command.app))) + " ;;\n";
  }
  return out + "  esac\n}\ncomplete -o filenames -F _lattice lattice\n";
}

// zsh understands bash's functions.
std::string zsh_script(const std::vector<Command>& commands) {
  return "#compdef lattice\nautoload -U +X bashcompinit && bashcompinit\n" + bash_script(commands) +
         // compinit loads this file to complete the first line.
         "[ \"${funcstack[1]}\" != _lattice ] || _bash_complete -o filenames -F _lattice\n";
}

std::string fish_script(const std::vector<Command>& commands) {
  std::string out =
      "# fish completion for lattice.\n"
      "function __lattice_at\n"
      "  set -l words (commandline -opc)\n"
      "  test \"$(string match -v -- '-*' $words[2..-1] | string join ' ')\" = \"$argv\"\n"
      "end\n"
      "function __lattice_below\n"
      "  set -l words (commandline -opc)\n"
      "  string match -q -- \"$argv*\" \"$(string match -v -- '-*' $words[2..-1] | string join ' "
      "')\"\n"
      "end\n";
  for (const Command& command : commands) {
    const std::string at = in_quotes("__lattice_at " + command.words);
    for (const CLI::App* each : command.app->get_subcommands({})) {
      out += "complete -c lattice -f -n " + at + " -a " + in_quotes(each->get_name()) + " -d " +
             in_quotes(each->get_description()) + "\n";
    }
    const std::string below = in_quotes("__lattice_below " + command.words);
    for (const CLI::Option* option : command.app->get_options()) {
      for (const std::string& name : option->get_lnames()) {
        out += "complete -c lattice -n " + (command.words.empty() ? at : below) + " -l " + name +
               (option->get_items_expected_max() > 0 ? " -r" : "") + " -d " +
               in_quotes(option->get_description()) + "\n";
      }
    }
  }
  return out;
}

}  // namespace

std::string completion_script(const CLI::App& app, std::string_view shell) {
  std::vector<Command> commands;
  collect(app, "", &commands);
  if (shell == "zsh") return zsh_script(commands);
  return shell == "fish" ? fish_script(commands) : bash_script(commands);
}

}  // namespace lattice::cli
