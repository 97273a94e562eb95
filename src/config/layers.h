// The sources below load(): each adds the settings that it holds and the problems that it has.
// Internal to src/config.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "config/load.h"

namespace lattice::config {

using Lookup = std::function<std::optional<std::string>(std::string_view name)>;

// Adds `text` for `key` under the name `origin`, parsed and checked.
void add_text(Loaded& loaded, const Option& option, std::string_view text,
              const std::string& origin);

// Reads a TOML file. A file that cannot be read is a problem, unless it is `optional` and not
// there.
void add_file(Loaded& loaded, const std::string& path, bool optional, const Lookup& environment);

void add_environment(Loaded& loaded, const std::map<std::string, std::string>& environment);
void add_command_line(Loaded& loaded, const std::vector<Request::Flag>& flags);

// The Config that the settings say, with the checks that look at several of them at once.
// Requires: no problems so far.
void build(Loaded& loaded);
// Its part about the limits of [tenants]; adds what is wrong with them.
void build_limits(Loaded& loaded);
// Its part about [control_plane]. Requires: the environment is built.
void build_control_plane(Loaded& loaded);
// Its part about [backends.NAME].
void build_backends(Loaded& loaded);
// `key`: of a direct_url, of this backend.
void use_direct_url(Loaded& loaded, std::string_view key, const std::string& direct_url,
                    Backend* backend);
bool is_loopback(const std::string& address);
// Something wrong with `key`, said with where its value comes from.
void add_problem(Loaded& loaded, std::string_view key, std::string message);

// The candidate nearest to `word`, if one is near enough to be meant.
std::optional<std::string> nearest(std::string_view word,
                                   const std::vector<std::string>& candidates);

// "${NAME}" replaced from `environment`, "$${" by "${". `missing` gets the first name that is not
// set.
std::string expand(std::string_view text, const Lookup& environment, std::string& missing);

// The text of a secret's file without its last line break; nullopt if it cannot be read.
std::optional<std::string> read_text_file(const std::string& path);

}  // namespace lattice::config
