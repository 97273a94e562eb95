// lattice_crowd: a crowd of watchers against one server, each of which checks what it is sent.
// Prints what happened as one JSON object; exit status 1 when a watcher missed an event, had one
// twice or was cancelled wrongly, and where the server was lost.
#include <CLI/CLI.hpp>
#include <csignal>

#include "options.h"

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  lattice::crowd::Options options;
  std::string scenario;
  CLI::App app("Loads a server with thousands of watchers and checks what each is sent.");
  app.add_option("scenario", scenario)->required()->check(CLI::IsMember({"stalled", "reconnect"}));
  app.add_option("--port", options.port, "of the watchers")->required();
  app.add_option("--write-port", options.write_port, "of the writer; 0: the watchers'");
  app.add_option("--server-pid", options.server_pid, "whose memory is measured")->required();
  app.add_option("--stalled", options.stalled);
  app.add_option("--healthy", options.healthy);
  app.add_option("--watches", options.watches);
  app.add_option("--keys", options.keys);
  app.add_option("--rounds", options.rounds, "writes of each key");
  CLI11_PARSE(app, argc, argv);
  if (options.write_port == 0) options.write_port = options.port;
  const bool sound = scenario == "stalled" ? lattice::crowd::run_stalled(options)
                                           : lattice::crowd::run_reconnect(options);
  return sound ? 0 : 1;
}
