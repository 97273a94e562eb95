// A database as the commands use it that change what is in it: opened, and waited for.
//
// Thread: the caller's, which it blocks.
// Ownership: the BlockingLoop outlives the databases that were opened on it, the configuration all.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "config/config.h"
#include "loop/loop.h"
#include "server/loop_environment.h"
#include "server/store.h"
#include "telemetry/logger.h"

namespace lattice::server {

// A loop that runs until something is there.
struct BlockingLoop {
  loop::Loop loop;
  LoopEnvironment environment{loop};

  template <class Answer, class Ask>
  Answer wait_for(Ask ask) {
    std::optional<Answer> answer;
    ask([&](Answer given) {
      answer = std::move(given);
      loop.stop();
    });
    while (!answer) loop.run();
    return std::move(*answer);
  }
  // Likewise; nothing if that takes longer.
  template <class Answer, class Ask>
  std::optional<Answer> wait_at_most(Duration patience, Ask ask) {
    // Shared with a callback that may come after the wait was given up.
    const auto answer = std::make_shared<std::optional<Answer>>();
    ask([this, answer](Answer given) {
      *answer = std::move(given);
      loop.stop();
    });
    const Instant give_up = environment.now() + patience;
    while (!*answer && environment.now() < give_up) pause(give_up - environment.now());
    return std::move(*answer);
  }
  // Or less: until something has happened.
  void pause(Duration time) {
    const std::unique_ptr<loop::TimerHandle> timer = loop.after(time, [this] { loop.stop(); });
    loop.run();
  }
};

class OpenedDatabase {
 public:
  // `backend`: config::default_backend, or one of config.backends. Errors: invalid_argument, there
  // is none of that name; those of the store.
  static Result<std::unique_ptr<OpenedDatabase>> open(const config::Config& config,
                                                      const std::string& backend,
                                                      BlockingLoop& blocking);

  const std::string& backend() const { return backend_; }
  const config::Config& its_config() const { return config_; }
  backends::TenantDirectory& directory() {
    return beside_ != nullptr ? *beside_ : store_->directory();
  }
  // A running process has the file: there is the list of tenants, and nothing else.
  bool beside() const { return beside_ != nullptr; }
  // Whose it is, if beside().
  const Status& lock() const { return lock_; }
  // Null if beside().
  Store* store() { return store_.get(); }

  // Whether the log of a tenant that is on the move has ended here. Requires: not beside().
  Result<bool> is_sealed(const backends::TenantRow& row);
  Result<backends::TenantList> list();
  // Deletes all rows of a log whose tenant is removed or moved. Requires: not beside().
  Status sweep(int64_t log_no);

 private:
  OpenedDatabase(config::Config config, std::string backend, BlockingLoop& blocking)
      : config_(std::move(config)), backend_(std::move(backend)), blocking_(blocking) {}
  Status open();

  const config::Config config_;
  const std::string backend_;
  BlockingLoop& blocking_;
  std::shared_ptr<telemetry::Logger> log_ = telemetry::Logger::to_nowhere();
  std::unique_ptr<Store> store_;
  std::unique_ptr<backends::TenantDirectory> beside_;
  Status lock_;
};

}  // namespace lattice::server
