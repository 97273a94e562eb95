#include "sim/guarded.h"

#include <memory>
#include <vector>

#include "sim/quiet_cluster.h"

namespace lattice::sim {
namespace {

using auth::Change;

constexpr int64_t made_at = 1000;
constexpr int64_t over_at = 2000;

class Ear : public replica::WatchSink {
 public:
  void on_created(WatchId, Revision, replica::WatchRefusal refusal) override {
    created = refusal == replica::WatchRefusal::none;
  }
  void on_events(WatchId, Revision, bool, replica::WatchEvents) override {}
  void on_progress(WatchId, Revision) override {}
  void on_compacted(WatchId, Revision) override {}
  void on_canceled(WatchId, Revision) override {}
  void on_closed(Status) override { ended = true; }

  bool created = false;
  bool ended = false;
};

struct Listener {
  Ear ear;
  std::unique_ptr<replica::WatchStream> stream;
};

auth::CallerRef logged_in(std::string user, std::string realm = {}) {
  return std::make_shared<const auth::Caller>(
      auth::Caller{auth::Caller::Kind::simple_token, std::move(user), 1000, std::move(realm)});
}

auth::CallerRef machine(int64_t seen_seconds) {
  auth::Caller caller;
  caller.kind = auth::Caller::Kind::api_token;
  caller.token_hash = std::string(auth::token_hash_bytes, 't');
  caller.seen_seconds = seen_seconds;
  return std::make_shared<const auth::Caller>(std::move(caller));
}

// Three replicas, on which alice may read and write keys from "a" to "c".
class Bench : public QuietCluster {
 public:
  Bench() : QuietCluster(3, 11) {
    change({.kind = Change::Kind::user_add, .user = "root"});
    change({.kind = Change::Kind::user_grant_role, .user = "root", .role = "root"});
    change({.kind = Change::Kind::user_add, .user = "alice"});
    change({.kind = Change::Kind::role_add, .role = "r"});
    change({.kind = Change::Kind::user_grant_role, .user = "alice", .role = "r"});
    permit(Change::Kind::role_grant);
    change({.kind = Change::Kind::enable});
  }
  // By root, at each node in turn.
  bool change(Change change) {
    Node& node = *nodes[turn_++ % nodes.size()];
    return answer_of<Revision>([&](auto done) {
             node.replica()->auth_change(std::move(change), std::move(done), logged_in("root"));
           })
        .ok();
  }
  bool permit(Change::Kind kind) {
    return change({.kind = kind,
                   .role = "r",
                   .has_permission = true,
                   .permission = {auth::PermissionType::readwrite, "a", "c"}});
  }
  Error get(Node& node, const auth::CallerRef& caller) {
    keyspace::RangeRequest request;
    request.range.key = "a";
    return answer_of<keyspace::RangeResult>([&](auto done) {
             node.replica()->range(std::move(request), std::move(done), caller);
           })
        .error();
  }
  // A write of "z" inside a transaction inside a transaction.
  Error put_deep(Node& node, const auth::CallerRef& caller) {
    keyspace::PutRequest put;
    put.key = "z";
    auto inner = std::make_unique<keyspace::TxnRequest>();
    inner->success.emplace_back(std::move(put));
    keyspace::TxnRequest outer;
    outer.success.emplace_back(std::move(inner));
    return answer_of<keyspace::TxnResult>(
               [&](auto done) { node.replica()->txn(std::move(outer), std::move(done), caller); })
        .error();
  }
  std::unique_ptr<Listener> listen(Node& node, std::string end, const auth::CallerRef& caller) {
    auto listener = std::make_unique<Listener>();
    listener->stream = node.replica()->open_watch_stream(listener->ear);
    replica::WatchCreate create;
    create.range = {"a", std::move(end)};
    create.start_revision = Revision(1);
    create.caller = caller;
    listener->stream->create(std::move(create));
    run_for(std::chrono::seconds(1));
    return listener;
  }

 private:
  size_t turn_ = 0;
};

std::string bounds(Bench& bench) {
  const auth::CallerRef alice = logged_in("alice");
  for (const auto& node : bench.nodes) {
    if (bench.get(*node, alice) != Error::ok) return "E53: a user may not what was granted";
    if (bench.get(*node, nullptr) != Error::user_empty) return "E54: nobody reads";
    if (bench.get(*node, logged_in("alice", "another log")) != Error::invalid_auth_token) {
      return "E55: a token of another tenant counts";
    }
    if (bench.put_deep(*node, alice) != Error::permission_denied) {
      return "E54: a transaction inside another writes what its user may not";
    }
    if (bench.listen(*node, std::string(1, '\0'), alice)->ear.created) {
      return "E54: a watch shows what its user may not read";
    }
  }
  return "";
}

std::string changes(Bench& bench) {
  const auth::CallerRef alice = logged_in("alice");
  for (int round = 0; round < 3; ++round) {
    if (!bench.permit(Change::Kind::role_revoke)) return "E37: no change of a role";
    for (const auto& node : bench.nodes) {
      if (bench.get(*node, alice) != Error::permission_denied) {
        return "E53: a permission was taken away, and a node reads by it";
      }
    }
    if (!bench.permit(Change::Kind::role_grant)) return "E37: no change of a role";
    for (const auto& node : bench.nodes) {
      if (bench.get(*node, alice) != Error::ok) return "E53: a node does not know a permission";
    }
  }
  return "";
}

std::string tokens(Bench& bench) {
  Change create{.kind = Change::Kind::token_create};
  create.token.hash = std::string(auth::token_hash_bytes, 't');
  create.token.user = "alice";
  create.token.created_seconds = made_at;
  create.token.expires_seconds = over_at;
  if (!bench.change(create)) return "E37: no token";
  std::vector<std::unique_ptr<Listener>> listeners;
  for (const auto& node : bench.nodes) {
    if (bench.get(*node, machine(made_at)) != Error::ok) return "E53: a node does not know a token";
    if (bench.get(*node, machine(over_at)) != Error::invalid_auth_token) {
      return "E53: a token counts for longer than its time";
    }
    listeners.push_back(bench.listen(*node, "c", machine(made_at)));
    if (!listeners.back()->ear.created) return "E53: a token does not watch";
  }
  if (!bench.change(
          {.kind = Change::Kind::token_revoke, .token_id = auth::token_id_of(create.token.hash)})) {
    return "E37: no revocation";
  }
  for (const auto& node : bench.nodes) {
    if (bench.get(*node, machine(made_at)) != Error::invalid_auth_token) {
      return "E53: a token was revoked, and a node reads by it";
    }
  }
  for (const auto& listener : listeners) {
    if (!listener->ear.ended) return "E53: a token was revoked, and a watch of it goes on";
  }
  return "";
}

}  // namespace

std::string guarded_problem() {
  Bench bench;
  for (const auto scene : {bounds, changes, tokens}) {
    std::string problem = scene(bench);
    if (!problem.empty()) return problem;
  }
  return "";
}

}  // namespace lattice::sim
