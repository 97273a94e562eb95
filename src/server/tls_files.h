// Keeps TLS contexts up to date with their files, whatever way those change: written in place,
// renamed over, or behind a symbolic link that is moved (Kubernetes). A new content counts once it
// was seen twice alike, so that a half-written file is not taken for one. What cannot be used
// changes nothing and is said once.
//
// Thread: add() and start() on the main thread; then its own thread reads files, and check_now()
//   may be called from any. The Sources may be used anywhere.
// Ownership: shares the Sources with their users.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/status.h"
#include "telemetry/logger.h"
#include "telemetry/metrics.h"
#include "tls/context.h"

namespace lattice::server {

class TlsFiles {
 public:
  using Make =
      std::function<Result<std::shared_ptr<const tls::Context>>(const tls::Material& material)>;

  TlsFiles(telemetry::Logger& log, telemetry::Registry& registry);
  ~TlsFiles();
  TlsFiles(const TlsFiles&) = delete;
  TlsFiles& operator=(const TlsFiles&) = delete;

  // `use` names it to operators: "client_port". Errors: io and invalid_argument, naming `use`.
  Result<std::shared_ptr<const tls::Source>> add(std::string use, tls::Files files, Make make);
  void start();
  // Looks at once, and takes a new content at first sight.
  void check_now();

 private:
  struct Entry {
    std::string use;
    tls::Files files;
    Make make;
    std::shared_ptr<tls::Source> source;
    tls::Material in_use;
    tls::Material seen;        // when last looked
    tls::Material refused;     // and said so
    std::string told_trouble;  // files that cannot be read
    Duration age{};            // of the context
  };

  void run();
  void look(Entry& entry, bool at_once);
  void take(Entry& entry, const tls::Material& material);
  void refuse(Entry& entry, const Status& status);
  void show(const Entry& entry, const tls::Context& context);

  telemetry::Logger& log_;
  telemetry::Family<telemetry::Gauge>& expiry_;
  telemetry::Family<telemetry::Gauge>& stale_;
  telemetry::Family<telemetry::Counter>& reloads_;
  std::vector<Entry> entries_;
  std::mutex mutex_;  // of the flags below
  std::condition_variable changed_;
  bool stopping_ = false;
  bool check_now_ = false;
  std::thread thread_;
};

}  // namespace lattice::server
