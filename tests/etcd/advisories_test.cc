// What etcd was once open to and this server must not be, beyond what tests/auth_compare/script.py
// compares with it (reliability.md 3.4): each case names where it comes from.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "etcd/caller.h"
#include "etcd/service_world.h"
#include "proto/rpc.pb.h"

namespace lattice::etcd {
namespace {

using testing::ServiceWorld;

TEST_CASE("GHSA grpc-go CVE-2026-33186: a path that only looks like a method is none") {
  ServiceWorld world;
  for (const char* path :
       {"etcdserverpb.KV/Range", "//etcdserverpb.KV/Range", "/etcdserverpb.KV//Range",
        "/etcdserverpb.KV/Range/", "/etcdserverpb.kv/range", "/ETCDSERVERPB.KV/RANGE",
        "/etcdserverpb.KV%2fRange", "/etcdserverpb.KV/%52ange", "/etcdserverpb.KV/./Range",
        "/x/../etcdserverpb.KV/Range", "/etcdserverpb.KV/Range?", "/etcdserverpb.KV/Range ", ""}) {
    CAPTURE(path);
    CHECK(world.open(path) == nullptr);
  }
  CHECK(world.open("/etcdserverpb.KV/Range") != nullptr);
}

TEST_CASE("etcd's gateway: a certificate's name is not a user behind it") {
  ServiceWorld world;
  const proxy::PeerCertificate certificate{"root", {}, {}};
  const auto caller = [&](proxy::Metadata metadata) {
    proxy::testing::FakeStream stream(std::move(metadata));
    stream.set_certificate(certificate);
    return caller_of(stream, world.tenant(), world.services());
  };
  const auto direct = caller({});
  REQUIRE(direct != nullptr);
  CHECK(direct->kind == auth::Caller::Kind::certificate);
  CHECK(direct->user == "root");
  CHECK(caller({{"grpcgateway-accept", "*/*"}}) == nullptr);
  // Nor is it what counts where a token is shown, good or bad.
  CHECK(caller({{"token", "nonsense"}})->kind == auth::Caller::Kind::invalid);
  CHECK(caller({{"authorization", ""}})->kind == auth::Caller::Kind::invalid);
}

// Logins whose passwords are always wrong; counts how many were looked at.
struct Guesser {
  Guesser() {
    world.services().authority = &authority;
    const auto change = [this](auth::Change::Kind kind, std::string user, std::string role) {
      auth::Change one;
      one.kind = kind;
      one.user = std::move(user);
      one.role = std::move(role);
      one.password_hash = "$2a$04$" + std::string(53, '.');
      world.tenant().api.auth_change(std::move(one), [](const Result<Revision>&) {});
      world.run(std::chrono::seconds(1));
    };
    change(auth::Change::Kind::user_add, "root", {});
    change(auth::Change::Kind::user_add, "other", {});
    change(auth::Change::Kind::user_grant_role, "root", "root");
    change(auth::Change::Kind::enable, {}, {});
  }
  std::unique_ptr<ServiceWorld::Session> guess(const std::string& user) {
    etcdserverpb::AuthenticateRequest request;
    request.set_name(user);
    request.set_password("guess");
    auto session = world.open("/etcdserverpb.Auth/Authenticate");
    session->send(request.SerializeAsString());
    session->half_close();
    return session;
  }

  ServiceWorld world;
  int looked_at = 0;
  credentials::Authority authority{
      [this](credentials::Authority::Task, credentials::Authority::Task done) {
        ++looked_at;
        world.services().environment.defer(std::move(done));
        return true;
      }};
};

TEST_CASE("etcd #14444, #9615: whoever guesses passwords gets few of them looked at") {
  Guesser guesser;
  std::vector<std::unique_ptr<ServiceWorld::Session>> sessions;
  constexpr int seconds = 20;
  constexpr int each_second = 200;
  for (int i = 0; i < seconds * each_second; ++i) {
    sessions.push_back(guesser.guess("root"));
    guesser.world.run(std::chrono::milliseconds(1000 / each_second));
  }
  CHECK(guesser.looked_at <= 10 * seconds);
  size_t refused = 0;
  for (const auto& session : sessions) {
    refused += session->seen().over() &&
               session->seen().status->message == "etcdserver: too many requests";
  }
  CHECK(refused > sessions.size() / 2);
  // Another user, and one that is not there, do not wait.
  for (const char* user : {"other", "nobody"}) {
    const int before = guesser.looked_at;
    const auto session = guesser.guess(user);
    guesser.world.run(std::chrono::milliseconds(5));
    CHECK(guesser.looked_at == before + 1);
    REQUIRE(session->seen().over());
    CHECK(session->seen().status->message ==
          "etcdserver: authentication failed, invalid user ID or password");
  }
}

}  // namespace
}  // namespace lattice::etcd
