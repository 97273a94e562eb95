#include <doctest/doctest.h>

#include "peer/peer_world.h"

namespace lattice::peer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST_CASE("every kind of call reaches the service of its log, and its answer comes back") {
  loop::Loop loop;
  ServerNode server(loop, {"secret"});
  ClientNode client(loop, {"secret"});
  RandomValues random(5);
  for (size_t i = 0; i < 220; ++i) {
    const size_t kind = i % std::variant_size_v<replica::PeerCall>;
    replica::PeerCall call = random.call(kind);
    replica::PeerReply given = random.reply(answer_index(kind));
    const std::string expected_answer = encode_answer(1, given);
    server.service.reply = [&](const replica::PeerRequest& request) {
      CHECK(request.call.index() == kind);
      CHECK(request.patience == seconds(5));
      return std::move(given);
    };
    const Result<replica::PeerReply> reply = client.ask(server.address(), std::move(call));
    REQUIRE(reply.ok());
    CHECK(encode_answer(1, *reply) == expected_answer);
  }
  CHECK(server.listener->connection_count() == 1);
  CHECK(server.troubles.empty());
  CHECK(client.troubles.empty());
}

TEST_CASE("answers come in any order, each to its own call") {
  loop::Loop loop;
  ServerNode server(loop, {"secret"});
  ClientNode client(loop, {"secret"});
  std::vector<uint64_t> answers(10'000);
  size_t count = 0;
  for (size_t i = 0; i < answers.size(); ++i) {
    client.peers->call(server.address(),
                       {replica::CompactCall{Revision(static_cast<int64_t>(i))}, seconds(9)},
                       [&, i](const Result<replica::PeerReply>& result) {
                         ++count;
                         answers[i] = result.ok() ? result->position.seq.value : 0;
                       });
  }
  CHECK(count == 0);
  REQUIRE(run_until(loop, [&] { return server.service.kept.size() == answers.size(); }));
  RandomValues random(6);
  auto& kept = server.service.kept;
  while (!kept.empty()) {
    std::swap(kept[random.below(kept.size())], kept.back());
    const auto& call = std::get<replica::CompactCall>(kept.back().first.call);
    replica::PeerReply reply = position_reply(static_cast<uint64_t>(call.revision.value) + 1);
    reply.answer = replica::PeerAnswer(Revision(1));
    kept.back().second(std::move(reply));
    kept.pop_back();
  }
  REQUIRE(run_until(loop, [&] { return count == answers.size(); }));
  for (size_t i = 0; i < answers.size(); ++i) CHECK(answers[i] == i + 1);
}

TEST_CASE("one port serves several databases, and keeps them apart") {
  loop::Loop loop;
  ServerNode server(loop, {"secret"});
  // The copy of a log that moves has the id of the original.
  FakeService copy;
  server.server.admit("second", Keyring({"its own secret"})).attach(test_log, copy);
  server.service.reply = [](const auto&) { return position_reply(1); };
  copy.reply = [](const auto&) { return position_reply(2); };
  ClientNode first(loop, {"secret"});
  ClientNode second(loop, {"its own secret"}, {}, "second");
  const auto seq_at = [&](ClientNode& client) {
    const Result<replica::PeerReply> reply = client.ask(server.address(), replica::PositionCall());
    return reply.ok() ? reply->position.seq.value : 0;
  };
  CHECK(seq_at(first) == 1);
  CHECK(seq_at(second) == 2);
  CHECK(server.service.served == 1);
  CHECK(copy.served == 1);
  CHECK(server.troubles.empty());

  // The secret of one database opens no other one.
  ClientNode intruder(loop, {"secret"}, {}, "second");
  CHECK(intruder.ask_error(server.address()) == Error::unsent);
  ClientNode stranger(loop, {"secret"}, {}, "third");
  CHECK(stranger.ask_error(server.address()) == Error::unsent);
  REQUIRE(server.troubles.size() == 1);  // of one address, once a minute
  CHECK(server.troubles[0].find("no common secret") != std::string::npos);
  CHECK(copy.served == 1);
}

TEST_CASE("large calls and answers pass, and do not keep small ones from being answered") {
  loop::Loop loop;
  ServerNode server(loop, {"secret"});
  ClientNode client(loop, {"secret"});
  const std::string value(1 << 20, 'v');
  server.service.reply = [&](const replica::PeerRequest& request) {
    const auto& txn = std::get<keyspace::TxnRequest>(request.call);
    keyspace::RangeResult range;
    for (int i = 0; i < 40; ++i) {
      keyspace::KvRecord::Fields fields;
      fields.key = "key";
      fields.value = std::get<keyspace::PutRequest>(txn.success[0]).value;
      range.kvs.push_back(keyspace::KvRecord::make(fields));
    }
    keyspace::TxnResult result;
    result.responses.emplace_back(std::move(range));
    replica::PeerReply reply = position_reply(1);
    reply.answer = replica::PeerAnswer(std::move(result));
    return reply;
  };
  keyspace::TxnRequest txn;
  for (int i = 0; i < 8; ++i) {
    keyspace::PutRequest put;
    put.key = "key";
    put.value = value;
    txn.success.emplace_back(std::move(put));
  }
  const auto reply = client.ask(server.address(), std::move(txn), seconds(20));
  REQUIRE(reply.ok());
  const auto& result = std::get<keyspace::TxnResult>(*reply->answer);
  const auto& range = std::get<keyspace::RangeResult>(result.responses.at(0));
  REQUIRE(range.kvs.size() == 40);
  CHECK(range.kvs[39]->value() == value);
}

TEST_CASE("a call that no message can carry is certainly not sent") {
  loop::Loop loop;
  ServerNode server(loop, {"secret"});
  ClientNode client(loop, {"secret"});
  keyspace::PutRequest put;
  put.value.assign(17 << 20, 'v');
  CHECK(client.ask_error(server.address(), std::move(put)) == Error::unsent);
  CHECK(server.service.served == 0);
}

TEST_CASE("a log that the node does not serve is answered with not_leader") {
  loop::Loop loop;
  ServerNode server(loop, {"secret"});
  ClientNode client(loop, {"secret"});
  server.service.reply = [](const auto&) { return position_reply(4); };
  CHECK(client.ask(server.address(), replica::PositionCall())->position.seq == Seq(4));
  server.realm.detach(test_log);
  const auto reply = client.ask(server.address(), replica::PositionCall());
  REQUIRE(reply.ok());
  CHECK(reply->answer.error() == Error::not_leader);
  CHECK(server.service.served == 1);
  server.realm.attach(test_log, server.service);
  CHECK(client.ask(server.address(), replica::PositionCall())->answer.ok());
}

TEST_CASE("an answer of another kind than the question's is an internal error") {
  loop::Loop loop;
  ServerNode server(loop, {"secret"});
  ClientNode client(loop, {"secret"});
  server.service.reply = [](const auto&) { return position_reply(4); };
  const auto reply = client.ask(server.address(), replica::LeaseLeasesCall());
  REQUIRE(reply.ok());
  CHECK(reply->answer.error() == Error::internal);
}

TEST_CASE("a service that drops a call leaves nobody waiting") {
  loop::Loop loop;
  ServerNode server(loop, {"secret"});
  ClientNode client(loop, {"secret"});
  std::optional<Error> error;
  client.peers->call(server.address(), {replica::PositionCall(), seconds(5)},
                     [&](const Result<replica::PeerReply>& result) {
                       error = result.ok() ? result->answer.error() : result.error();
                     });
  REQUIRE(run_until(loop, [&] { return !server.service.kept.empty(); }));
  server.service.kept.clear();
  REQUIRE(run_until(loop, [&] { return error.has_value(); }));
  CHECK(*error == Error::timeout_connection_lost);
}

TEST_CASE("more calls in flight than a stream may have are refused, the others go on") {
  loop::Loop loop;
  Limits limits;
  limits.calls_in_flight_max = 3;
  ServerNode server(loop, {"secret"}, limits);
  ClientNode client(loop, {"secret"});
  int refused = 0, answered = 0;
  for (int i = 0; i < 5; ++i) {
    client.peers->call(server.address(), {replica::PositionCall(), seconds(5)},
                       [&](const Result<replica::PeerReply>& result) {
                         REQUIRE(result.ok());
                         result->answer.error() == Error::too_many_requests ? ++refused
                                                                            : ++answered;
                       });
  }
  REQUIRE(run_until(loop, [&] { return refused == 2; }));
  while (!server.service.kept.empty()) {
    server.service.kept.front().second(position_reply(1));
    server.service.kept.pop_front();
  }
  REQUIRE(run_until(loop, [&] { return answered == 3; }));
}

TEST_CASE("a connection without calls is given up after a while, and made again when needed") {
  loop::Loop loop;
  Limits limits;
  limits.idle_max = milliseconds(50);
  ServerNode server(loop, {"secret"});
  ClientNode client(loop, {"secret"}, limits);
  server.service.reply = [](const auto&) { return position_reply(4); };
  CHECK(client.ask(server.address(), replica::PositionCall(), milliseconds(500)).ok());
  CHECK(server.listener->connection_count() == 1);
  CHECK(run_until(loop, [&] { return server.listener->connection_count() == 0; }));
  CHECK(client.ask(server.address(), replica::PositionCall()).ok());
  CHECK(client.troubles.empty());
}

TEST_CASE("names are resolved, and both families tried") {
  loop::Loop loop;
  ServerNode server(loop, {"secret"});
  ClientNode client(loop, {"secret"});
  server.service.reply = [](const auto&) { return position_reply(4); };
  const std::string port = server.address().substr(server.address().rfind(':'));
  CHECK(client.ask("localhost" + port, replica::PositionCall()).ok());
  for (const auto* bad : {"", "nowhere", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", ":1", "[::1"}) {
    CAPTURE(bad);
    CHECK(client.ask_error(bad) == Error::unsent);
  }
}

}  // namespace
}  // namespace lattice::peer
