// NOTIFY as a fan-out: it carries the newest of the messages, in hexadecimal digits, if that is
// small, and else only "look at the log". One connection listens for all logs of a store, another
// one notifies: never inside an append, where it halves the rate of commits (reliability.md 0.10),
// and with synchronous_commit = off, since each NOTIFY is a transaction that writes a commit
// record.
//
// Everything may be lost: a server whose queue is full, because some listener stands still in a
// transaction, refuses NOTIFY. That is counted and otherwise ignored; the poll of the head remains.
//
// Thread: the loop's. No callback inside a call, none after its Fanout is gone.
// Ownership: its Fanouts must be destroyed before it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backends/postgres/pg_connection.h"
#include "replica/batch.h"
#include "replica/fanout.h"

namespace lattice::backends {

class PgNotifier {
 public:
  // Makes a connection that is not started yet.
  using Connect = absl::AnyInvocable<std::unique_ptr<PgConnection>(PgConnection::Options)>;

  PgNotifier(loop::Loop& loop, Connect connect);
  ~PgNotifier();

  std::unique_ptr<replica::Fanout> open(const replica::LogId& log);
  // How many NOTIFYs were refused, or had no connection.
  uint64_t lost() const { return lost_; }

  static std::string channel_of(const replica::LogId& log);

 private:
  class ChannelFanout;
  // What one Fanout has subscribed; shared so that it may be replaced while it runs.
  struct Subscription {
    replica::Fanout::Receiver receiver;
    bool ended = false;
  };
  using Subscriptions = std::vector<std::shared_ptr<Subscription>>;

  void listen(const std::string& channel, std::shared_ptr<Subscription> subscription);
  void unlisten(const std::string& channel, const std::shared_ptr<Subscription>& subscription);
  void listen_to_all();
  void run_listen(std::string script, std::vector<std::string> channels);
  void hint(const std::vector<std::string>& channels);
  // Passes it on to who listens to the channel; a hint, if it is empty.
  void deliver(const std::string& channel, std::string_view message);
  void notify(const std::string& channel, const std::string& message,
              absl::AnyInvocable<void()> done);

  loop::Loop& loop_;
  std::unique_ptr<PgConnection> listen_;
  std::unique_ptr<PgConnection> notify_;
  std::map<std::string, Subscriptions> channels_;
  uint64_t lost_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace lattice::backends
