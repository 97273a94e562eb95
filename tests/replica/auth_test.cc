// Who may do what, judged where requests meet the state, and users that survive compaction.
#include "replica/fixture.h"

namespace lattice::replica {
namespace {

using auth::Caller;
using auth::Change;
using auth::PermissionType;

struct Guarded : Fixture {
  explicit Guarded() : Fixture({}, 1) {
    start();
    change({.kind = Change::Kind::user_add, .user = "root"});
    change({.kind = Change::Kind::user_grant_role, .user = "root", .role = "root"});
    change({.kind = Change::Kind::role_add, .role = "r"});
    grant_keys("a", "c");
    change({.kind = Change::Kind::user_add, .user = "alice"});
    change({.kind = Change::Kind::user_grant_role, .user = "alice", .role = "r"});
    change({.kind = Change::Kind::enable});
    root = named("root");
    alice = named("alice");
  }

  auth::CallerRef named(std::string user, Caller::Kind kind = Caller::Kind::simple_token) {
    return std::make_shared<const Caller>(Caller{kind, std::move(user), 1000, {}});
  }
  Status try_change(Change change, auth::CallerRef caller) {
    Answer<Revision> answer;
    replica->auth_change(std::move(change), answer.callback(), std::move(caller));
    return wait(answer).status();
  }
  void change(Change change) { REQUIRE(try_change(std::move(change), root).ok()); }
  void grant_keys(std::string key, std::string end) {
    change({.kind = Change::Kind::role_grant,
            .role = "r",
            .has_permission = true,
            .permission = {PermissionType::readwrite, std::move(key), std::move(end)}});
  }
  Error put(std::string key, auth::CallerRef caller, int64_t lease = 0) {
    Answer<keyspace::PutResult> answer;
    replica->put(put_request(std::move(key), "v", lease), answer.callback(), std::move(caller));
    return wait(answer).error();
  }
  Error get(std::string key, std::string end, auth::CallerRef caller) {
    Answer<keyspace::RangeResult> answer;
    replica->range(get_request(std::move(key), std::move(end)), answer.callback(),
                   std::move(caller));
    return wait(answer).error();
  }
  Error txn(keyspace::TxnRequest request, auth::CallerRef caller) {
    Answer<keyspace::TxnResult> answer;
    replica->txn(std::move(request), answer.callback(), std::move(caller));
    return wait(answer).error();
  }
  Error grant_lease(int64_t id, auth::CallerRef caller, int64_t ttl = 100) {
    Answer<LeaseGrantResult> answer;
    replica->lease_grant(LeaseId(id), ttl, answer.callback(), std::move(caller));
    return wait(answer).error();
  }
  std::string watch(std::string key, std::string end, auth::CallerRef caller) {
    RecordingSink sink;
    auto stream = replica->open_watch_stream(sink);
    WatchCreate create = watch_of(std::move(key), std::move(end), 1);
    create.caller = std::move(caller);
    stream->create(std::move(create));
    run_until([&] { return !sink.lines.empty(); });
    return sink.lines.front();
  }
  // Records of users and roles in the log.
  size_t auth_records() {
    size_t count = 0;
    auto log = store.open_log("default", environment);
    bool done = false;
    log->load(
        Seq(0),
        [&](Log::LoadedBatch batch) {
          for (const auto& record : batch.records) count += auth::is_auth(record.kind);
        },
        [&](const Status&) { done = true; });
    run_until([&] { return done; });
    return count;
  }

  auth::CallerRef root;
  auth::CallerRef alice;
};

TEST_CASE("auth: without a user nothing is answered") {
  Guarded f;
  CHECK(f.put("a", nullptr) == Error::user_empty);
  CHECK(f.get("a", "", nullptr) == Error::user_empty);
  CHECK(f.get("a", "c", nullptr) == Error::user_empty);
  CHECK(f.grant_lease(1, nullptr) == Error::user_empty);
  CHECK(f.compact(1).error() == Error::user_empty);
  CHECK(f.txn({}, nullptr) == Error::ok);  // asks for nothing, as in etcd
  CHECK(f.try_change({.kind = Change::Kind::disable}, nullptr).error() == Error::user_empty);
  CHECK(f.put("a", std::make_shared<const Caller>()) == Error::invalid_auth_token);
  CHECK(f.put("a", f.named("nobody")) == Error::invalid_auth_token);
  CHECK(f.watch("a", "", nullptr).starts_with("created -1"));
}

TEST_CASE("auth: ranges bound reads, writes, transactions however deep, and watches") {
  Guarded f;
  CHECK(f.put("a", f.alice) == Error::ok);
  CHECK(f.put("c", f.alice) == Error::permission_denied);
  CHECK(f.get("a", "c", f.alice) == Error::ok);
  CHECK(f.get("a", "d", f.alice) == Error::permission_denied);
  CHECK(f.get("a", std::string(1, '\0'), f.alice) == Error::permission_denied);
  CHECK(f.watch("a", "c", f.alice).starts_with("created 0"));
  CHECK(f.watch("a", std::string(1, '\0'), f.alice).starts_with("created -1"));

  auto deep = std::make_unique<keyspace::TxnRequest>();
  deep->failure.emplace_back(put_request("z", "v"));
  keyspace::TxnRequest outer;
  outer.success.emplace_back(put_request("a", "v"));
  outer.success.emplace_back(std::move(deep));
  CHECK(f.txn(std::move(outer), f.alice) == Error::permission_denied);
}

TEST_CASE("auth: a lease belongs to whoever may write its keys") {
  Guarded f;
  CHECK(f.grant_lease(1, f.alice) == Error::ok);
  CHECK(f.put("z", f.root, 1) == Error::ok);
  CHECK(f.put("a", f.alice, 1) == Error::permission_denied);
  Answer<Revision> revoked;
  f.replica->lease_revoke(LeaseId(1), revoked.callback(), f.alice);
  CHECK(f.wait(revoked).error() == Error::permission_denied);
  Answer<LeaseKeepAliveResult> renewed;
  f.replica->lease_keep_alive(LeaseId(1), renewed.callback(), f.alice);
  CHECK(f.wait(renewed).error() == Error::permission_denied);
  Answer<LeaseTimeToLiveResult> shown;
  f.replica->lease_time_to_live(LeaseId(1), true, shown.callback(), f.alice);
  CHECK(f.wait(shown).error() == Error::permission_denied);
  Answer<LeaseLeasesResult> listed;
  f.replica->lease_leases(listed.callback(), f.alice);
  CHECK(f.wait(listed).error() == Error::permission_denied);
}

TEST_CASE("auth: leases expire, whoever granted them") {
  Guarded f;
  CHECK(f.grant_lease(1, f.alice, 2) == Error::ok);
  CHECK(f.put("a", f.alice, 1) == Error::ok);
  f.run_for(std::chrono::seconds(5));
  Answer<keyspace::RangeResult> answer;
  f.replica->range(get_request("a"), answer.callback(), f.alice);
  CHECK(f.wait(answer)->count == 0);
}

TEST_CASE("auth: a long lease is renewed by its user behind a checkpoint, too") {
  Guarded f;
  CHECK(f.grant_lease(1, f.alice, 1000) == Error::ok);
  CHECK(f.put("a", f.alice, 1) == Error::ok);
  f.run_for(std::chrono::seconds(700));  // a checkpoint is in the log by now
  Answer<LeaseKeepAliveResult> answer;
  f.replica->lease_keep_alive(LeaseId(1), answer.callback(), f.alice);
  const auto renewed = f.wait(answer);
  REQUIRE(renewed.ok());
  CHECK(renewed->ttl_seconds == 1000);
}

TEST_CASE("auth: only root sets and clears alarms") {
  Guarded f;
  const auto change = [&](bool raise, auth::CallerRef caller) {
    Answer<AlarmResult> answer;
    f.replica->alarm({raise, {7, alarm_no_space}}, answer.callback(), std::move(caller));
    return f.wait(answer).error();
  };
  CHECK(change(true, nullptr) == Error::user_empty);
  CHECK(change(true, f.alice) == Error::permission_denied);
  CHECK(f.put("a", f.alice) == Error::ok);
  CHECK(change(true, f.root) == Error::ok);
  CHECK(f.put("a", f.alice) == Error::no_space);
  CHECK(change(false, f.alice) == Error::permission_denied);
  CHECK(change(false, f.root) == Error::ok);
  CHECK(f.put("a", f.alice) == Error::ok);
}

TEST_CASE("auth: a write is judged by the changes before it in its own batch") {
  Guarded f;
  Answer<Revision> revoked;
  Answer<keyspace::PutResult> written;
  f.replica->auth_change({.kind = Change::Kind::user_revoke_role, .user = "alice", .role = "r"},
                         revoked.callback(), f.root);
  f.replica->put(put_request("a", "v"), written.callback(), f.alice);
  CHECK(f.wait(revoked).ok());
  CHECK(f.wait(written).error() == Error::permission_denied);
}

TEST_CASE("auth: a watch ends with its API token") {
  Guarded f;
  Answer<Revision> made;
  Change create{.kind = Change::Kind::token_create};
  create.token.hash = std::string(auth::token_hash_bytes, 't');
  create.token.user = "alice";
  create.token.created_seconds = 1000;
  create.token.expires_seconds = 1100;
  f.change(create);
  Caller shown;
  shown.kind = Caller::Kind::api_token;
  shown.token_hash = create.token.hash;
  shown.seen_seconds = 1040;
  const auto caller = std::make_shared<const Caller>(shown);
  RecordingSink sink;
  auto stream = f.replica->open_watch_stream(sink);
  WatchCreate watch = watch_of("a", "c", 1);
  watch.caller = caller;
  stream->create(std::move(watch));
  f.run_until([&] { return !sink.lines.empty(); });
  CHECK(f.put("a", f.root) == Error::ok);
  f.run_until([&] { return sink.lines.size() > 1; });
  const std::string end = "closed " + std::to_string(static_cast<int>(Error::invalid_auth_token));
  const auto ended = [&] { return sink.lines.back() == end; };
  REQUIRE_FALSE(ended());

  SUBCASE("when it is revoked, before what follows is shown") {
    const size_t before = sink.lines.size();
    Answer<Revision> revoked;
    Answer<keyspace::PutResult> written;
    f.replica->auth_change(
        {.kind = Change::Kind::token_revoke, .token_id = auth::token_id_of(create.token.hash)},
        revoked.callback(), f.root);
    f.replica->put(put_request("a", "secret"), written.callback(), f.root);
    CHECK(f.wait(revoked).ok());
    CHECK(f.wait(written).ok());
    CHECK(ended());
    CHECK(sink.lines.size() == before + 1);  // "closed"
    CHECK(f.get("a", "", caller) == Error::invalid_auth_token);
  }
  SUBCASE("when its time is over") {
    f.run_for(std::chrono::seconds(59));
    CHECK_FALSE(ended());
    f.run_for(std::chrono::seconds(2));
    CHECK(ended());
  }
  SUBCASE("not because users change") {
    f.change({.kind = Change::Kind::user_add, .user = "bob"});
    CHECK(f.put("a", f.root) == Error::ok);
    f.run_for(std::chrono::seconds(1));
    CHECK_FALSE(ended());
  }
}

TEST_CASE("auth: a token that only reads changes nothing, leases neither") {
  Guarded f;
  Change create{.kind = Change::Kind::token_create};
  create.token.hash = std::string(auth::token_hash_bytes, 't');
  create.token.user = "root";
  create.token.read_only = true;
  f.change(create);
  Caller shown;
  shown.kind = Caller::Kind::api_token;
  shown.token_hash = create.token.hash;
  const auto reader = std::make_shared<const Caller>(shown);
  CHECK(f.grant_lease(1, f.root) == Error::ok);
  CHECK(f.get("a", std::string(1, '\0'), reader) == Error::ok);
  CHECK(f.put("a", reader) == Error::permission_denied);
  CHECK(f.grant_lease(2, reader) == Error::permission_denied);
  Answer<Revision> revoked;
  f.replica->lease_revoke(LeaseId(1), revoked.callback(), reader);
  CHECK(f.wait(revoked).error() == Error::permission_denied);
  Answer<LeaseKeepAliveResult> renewed;
  f.replica->lease_keep_alive(LeaseId(1), renewed.callback(), reader);
  CHECK(f.wait(renewed).error() == Error::permission_denied);
  CHECK(f.try_change({.kind = Change::Kind::user_add, .user = "x"}, reader).error() ==
        Error::permission_denied);
}

TEST_CASE("auth: compaction keeps the newest of each name, and everything loads again") {
  Guarded f;
  for (int i = 0; i < 10; ++i) {
    f.change({.kind = Change::Kind::role_add, .role = "gone"});
    f.change({.kind = Change::Kind::role_delete, .role = "gone"});
    f.grant_keys("k" + std::to_string(i), "");
    Change token{.kind = Change::Kind::token_create};
    token.token.hash = std::string(auth::token_hash_bytes, static_cast<char>('0' + i));
    token.token.user = "alice";
    f.change(token);
    if (i == 9) continue;
    f.change({.kind = Change::Kind::token_revoke, .token_id = auth::token_id_of(token.token.hash)});
    CHECK(f.put("a", f.alice) == Error::ok);
  }
  Answer<Revision> compacted;
  f.replica->compact(Revision(5), true, compacted.callback(), f.root);
  REQUIRE(f.wait(compacted).ok());
  CHECK(f.auth_records() == 5);  // root, alice, the role, a token, and the state
  f.replica.reset();
  f.start();
  Answer<auth::Answer> asked;
  f.replica->auth_query({.kind = auth::Query::Kind::status}, asked.callback());
  const auto status = f.wait(asked);
  REQUIRE(status.ok());
  CHECK(status->enabled);
  CHECK(status->revision == 7 + 30);
  CHECK(f.put("k9", f.alice) == Error::ok);
  Caller shown;
  shown.kind = Caller::Kind::api_token;
  shown.token_hash = std::string(auth::token_hash_bytes, '9');
  CHECK(f.put("k9", std::make_shared<const Caller>(shown)) == Error::ok);
  shown.token_hash = std::string(auth::token_hash_bytes, '8');
  CHECK(f.put("k9", std::make_shared<const Caller>(shown)) == Error::invalid_auth_token);
  CHECK(f.put("z", f.alice) == Error::permission_denied);
  CHECK(f.put("a", nullptr) == Error::user_empty);
}

}  // namespace
}  // namespace lattice::replica
