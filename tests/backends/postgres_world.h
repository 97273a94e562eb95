// The log suite's world on PostgreSQL: a loop that the test turns by hand, and a store on it.
#pragma once

#include "backends/log_world.h"
#include "backends/postgres/postgres_store.h"
#include "backends/postgres_fixture.h"
#include "loop/loop.h"

namespace lattice::backends {

// One server for the whole test program; each world gets a database of its own.
inline PostgresServer& shared_server() {
  static PostgresServer server;
  return server;
}

class PostgresWorld final : public LogWorld {
 public:
  explicit PostgresWorld(std::string url) {
    options_.url = std::move(url);
    open();
  }
  PostgresWorld() : PostgresWorld(shared_server().url(shared_server().create_database())) {}
  explicit PostgresWorld(PostgresOptions options) : options_(std::move(options)) { open(); }

  std::unique_ptr<replica::Log> open_log(std::string_view tenant) override {
    std::optional<bool> done;
    Result<std::unique_ptr<replica::Log>> log = Error::internal;
    store_->open_log(tenant, [&](Result<std::unique_ptr<replica::Log>> reply) {
      log = std::move(reply);
      done = true;
    });
    await(*this, done);
    REQUIRE_MESSAGE(log.ok(), log.status().detail());
    return std::move(*log);
  }
  void turn() override {
    auto stop = loop_.after(std::chrono::microseconds(200), [this] { loop_.stop(); });
    loop_.run();
  }
  void open() {
    store_.reset();
    auto store = PostgresStore::create(loop_, options_);
    REQUIRE_MESSAGE(store.ok(), store.status().detail());
    store_ = std::move(*store);
    const Status status =
        await_status(*this, [&](StatusCallback done) { store_->open(std::move(done)); });
    REQUIRE_MESSAGE(status.ok(), status.detail());
  }
  PostgresStore& store() { return *store_; }
  loop::Loop& loop() { return loop_; }

 private:
  PostgresOptions options_;
  loop::Loop loop_;
  std::unique_ptr<PostgresStore> store_;
};

}  // namespace lattice::backends
