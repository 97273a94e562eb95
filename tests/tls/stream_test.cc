#include "tls/stream.h"

#include <doctest/doctest.h>

#include <thread>

#include "tls/tls_pair.h"

namespace lattice::tls {
namespace {

const TestAuthority& world() {
  static const TestAuthority authority;
  return authority;
}

ContextPtr server_context(ServerOptions options = {}) {
  return *Context::server(world().server_files(), options);
}

ContextPtr client_context(ClientOptions options = {}) {
  return *Context::client(world().client_files(), options);
}

TEST_CASE("both ends learn who the other one is") {
  Pair pair(server_context({.protocols = {"h2", "http/1.1"}}),
            client_context({.protocols = {"http/1.1", "h2"}}));
  pair.shake();
  REQUIRE(pair.up());
  CHECK(pair.server->peer()->common_name == "alice");
  CHECK(pair.server->server_name() == "db.example");
  CHECK(pair.client->peer()->dns_names == std::vector<std::string>{"db.example"});
  CHECK(pair.client->peer()->addresses == std::vector<std::string>{"127.0.0.1"});
}

TEST_CASE("what is sent arrives, whatever its size and however small the socket's buffers") {
  Pair pair(server_context(), client_context());
  const int small = 4096;
  for (const int fd : {pair.server->fd(), pair.client->fd()}) {
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  }
  pair.shake();
  REQUIRE(pair.up());
  std::string text;
  for (int i = 0; text.size() < 3 << 20; ++i) text += std::to_string(i);
  // In parentheses: three megabytes are no message for people.
  CHECK((carry(*pair.server, *pair.client, text) == text));
  CHECK((carry(*pair.client, *pair.server, text) == text));
}

TEST_CASE("the end of one side is the end, not a failure") {
  Pair pair(server_context(), client_context());
  pair.shake();
  REQUIRE(pair.up());
  const iovec part{const_cast<char*>("last"), 4};
  CHECK(pair.client->send({&part, 1}).bytes == 4);
  pair.client->end_output();
  CHECK(pair.server->receive(pair.buffer).bytes == 4);
  CHECK(pair.server->has_buffered_input());
  CHECK(pair.server->receive(pair.buffer).kind == Stream::Kind::end);
}

TEST_CASE("a server for another name is refused, and the failure names both") {
  Pair pair(server_context(), client_context(), "other.example");
  pair.shake();
  CHECK(pair.last_client == Stream::Kind::failed);
  CHECK(pair.client->failure().kind == Failure::Kind::their_identity);
  CHECK(pair.client->failure().asked == "other.example");
  CHECK(pair.client->failure().offered == "db.example, 127.0.0.1");
  CHECK(pair.server->failure().kind == Failure::Kind::our_identity);
  CHECK(pair.server->failure().asked == "other.example");
  CHECK(pair.server->failure().offered == "db.example, 127.0.0.1");
}

TEST_CASE("an address is looked for among the addresses") {
  Pair right(server_context(), client_context(), "127.0.0.1");
  right.shake();
  CHECK(right.up());
  Pair wrong(server_context(), client_context(), "127.0.0.2");
  wrong.shake();
  CHECK(wrong.client->failure().kind == Failure::Kind::their_identity);
}

TEST_CASE("a client of another authority is refused") {
  const TestAuthority stranger;
  Material files = stranger.client_files();
  files.ca = world().ca;
  Pair pair(server_context(), *Context::client(files, {}));
  pair.shake();
  CHECK(pair.server->failure().kind == Failure::Kind::their_identity);
  CHECK(pair.server->failure().offered == "no name but CN=alice");
  CHECK_FALSE(pair.server->established());
}

TEST_CASE("a client without a certificate is refused, or let in as nobody where that is allowed") {
  const ContextPtr nobody = *Context::client({"", "", world().ca}, {});
  Pair strict(server_context(), nobody);
  strict.shake();
  CHECK(strict.server->failure().cause == "the other side shows no certificate");
  Pair lax(server_context({.certificate_optional = true, .protocols = {}}), nobody);
  lax.shake();
  REQUIRE(lax.up());
  CHECK_FALSE(lax.server->peer().has_value());
}

TEST_CASE("an older version than allowed is refused") {
  const ContextPtr old = client_context();
  SSL_CTX_set_max_proto_version(old->get(), TLS1_2_VERSION);
  Pair pair(server_context({.oldest = Version::tls_1_3, .protocols = {}}), old);
  pair.shake();
  CHECK(pair.server->failure().kind == Failure::Kind::protocol);
  Pair both(server_context(), old);
  both.shake();
  CHECK(both.up());
}

// A few turns of a client that is not ours, and of the server.
void take_turns(SSL* client, Stream& server) {
  std::array<char, 100> buffer;
  for (int i = 0; i < 6; ++i) {
    SSL_do_handshake(client);
    (void)server.receive(buffer);
  }
}

void shake(SSL* client, int fd, Stream& server) {
  SSL_set_verify(client, SSL_VERIFY_NONE, nullptr);
  SSL_set_fd(client, fd);
  SSL_set_connect_state(client);
  take_turns(client, server);
  REQUIRE(server.established());
}

TEST_CASE("renegotiation is refused, and the connection goes on") {
  const ContextPtr old = client_context();
  SSL_CTX_set_max_proto_version(old->get(), TLS1_2_VERSION);
  SSL_CTX_clear_options(old->get(), SSL_OP_NO_RENEGOTIATION);
  const auto fds = socket_pair();
  Stream server(server_context(), fds[0], "");
  const SslPtr client(SSL_new(old->get()));
  shake(client.get(), fds[1], server);
  REQUIRE(SSL_renegotiate(client.get()) == 1);
  take_turns(client.get(), server);
  CHECK(SSL_num_renegotiations(client.get()) <= 1);
  CHECK(SSL_is_init_finished(client.get()) == 0);  // nobody answered
  close(fds[1]);
}

TEST_CASE("who updates keys again and again is sent away") {
  const auto fds = socket_pair();
  Stream server(server_context(), fds[0], "");
  const ContextPtr context = client_context();
  const SslPtr client(SSL_new(context->get()));
  std::array<char, 100> buffer;
  shake(client.get(), fds[1], server);
  Stream::Kind kind = Stream::Kind::would_block;
  int updates = 0;
  for (; updates < 1000 && kind != Stream::Kind::failed; ++updates) {
    SSL_key_update(client.get(), SSL_KEY_UPDATE_REQUESTED);
    SSL_write(client.get(), "x", 1);
    kind = server.receive(buffer).kind;
  }
  CHECK(kind == Stream::Kind::failed);
  CHECK(updates >= 16);
  CHECK(updates < 40);
  CHECK(server.failure().cause == "too many key updates");
  close(fds[1]);
}

TEST_CASE("key updates that come together are not gone through to their end") {
  const auto fds = socket_pair();
  Stream server(server_context(), fds[0], "");
  const ContextPtr context = client_context();
  const SslPtr client(SSL_new(context->get()));
  shake(client.get(), fds[1], server);
  for (int i = 0; i < 200; ++i) {
    REQUIRE(SSL_key_update(client.get(), SSL_KEY_UPDATE_REQUESTED) == 1);
    REQUIRE(SSL_do_handshake(client.get()) == 1);
  }
  std::array<char, 16'000> buffer;
  CHECK(server.receive(buffer).kind == Stream::Kind::failed);
  CHECK(server.failure().cause == "too many key updates");
  // Each that was gone through has been answered with a record of 27 bytes.
  const ssize_t answered = recv(fds[1], buffer.data(), buffer.size(), MSG_DONTWAIT);
  CHECK(answered >= 16 * 27);
  CHECK(answered < 2000);
  close(fds[1]);
}

TEST_CASE("whatever is no TLS is refused at once, and nothing is kept of it") {
  struct Row {
    std::string bytes;
    Failure::Kind kind;
  };
  for (const Row& row : {
           Row{"GET / HTTP/1.1\r\n\r\n", Failure::Kind::not_tls},
           Row{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Failure::Kind::not_tls},
           Row{std::string(60'000, '\xff'), Failure::Kind::not_tls},
           Row{"\x16\x03\x01" + std::string(60'000, '\xff'), Failure::Kind::protocol},
           Row{std::string("\x16\x03\x01\x02\x00\x01\x00\xff\xff", 9) + std::string(600, 'x'),
               Failure::Kind::protocol},
       }) {
    const auto fds = socket_pair();
    Stream server(server_context(), fds[0], "");
    CHECK(write(fds[1], row.bytes.data(), row.bytes.size()) > 0);
    std::array<char, 1000> buffer;
    Stream::Kind kind = Stream::Kind::would_block;
    for (int i = 0; i < 10 && kind == Stream::Kind::would_block; ++i) {
      kind = server.receive(buffer).kind;
    }
    CHECK(kind == Stream::Kind::failed);
    CHECK(server.failure().kind == row.kind);
    CHECK(server.failure().cause != "");
    close(fds[1]);
  }
}

TEST_CASE("a handshake that is broken off is a loss, told apart from who only looked") {
  const auto fds = socket_pair();
  Stream server(server_context(), fds[0], "");
  std::array<char, 1000> buffer;
  CHECK(server.receive(buffer).kind == Stream::Kind::would_block);
  CHECK_FALSE(server.heard());
  close(fds[1]);
  CHECK(server.receive(buffer).kind == Stream::Kind::failed);
  CHECK(server.failure().kind == Failure::Kind::lost);
}

// What a client of its own says first.
std::string client_hello() {
  const auto fds = socket_pair();
  Stream client(client_context(), fds[1], "db.example");
  (void)client.send({});
  std::array<char, 4096> buffer;
  const ssize_t got = read(fds[0], buffer.data(), buffer.size());
  close(fds[0]);
  return {buffer.data(), static_cast<size_t>(std::max<ssize_t>(got, 0))};
}

TEST_CASE("a server begins nothing before the first record is whole") {
  const std::string hello = client_hello();
  REQUIRE(hello.size() > 100);
  const ContextPtr context = server_context();
  const auto fds = socket_pair();
  Stream server(context, fds[0], "");
  std::array<char, 1000> buffer;
  for (const char byte : hello) {
    CHECK(server.receive(buffer).kind == Stream::Kind::would_block);
    CHECK(SSL_CTX_sess_accept(context->get()) == 0);
    CHECK(server.server_name().empty());
    CHECK(write(fds[1], &byte, 1) == 1);
  }
  CHECK(server.receive(buffer).kind == Stream::Kind::would_block);
  CHECK(SSL_CTX_sess_accept(context->get()) == 1);
  CHECK(server.server_name() == "db.example");
  CHECK(read(fds[1], buffer.data(), buffer.size()) > 100);  // its answer
  close(fds[1]);
}

TEST_CASE("who leaves, or is not served, in the middle of its first record is no riddle") {
  const auto fds = socket_pair();
  Stream server(server_context(), fds[0], "");
  std::array<char, 1000> buffer;
  CHECK(write(fds[1], "\x16\x03\x01\x40\x00...", 8) == 8);
  CHECK(server.receive(buffer).kind == Stream::Kind::would_block);
  CHECK(server.heard());
  CHECK(server.send({}).kind == Stream::Kind::would_block);
  CHECK_FALSE(server.peer().has_value());
  close(fds[1]);
  CHECK(server.receive(buffer).kind == Stream::Kind::failed);
  CHECK(server.failure().kind == Failure::Kind::lost);
  CHECK(server.failure().asked.empty());
  server.end_output();
}

// Has the server's steps taken by threads of their own, each after what is read and before what it
// answers is sent; how many there were.
int shake_apart(Pair& pair) {
  int steps = 0;
  for (int i = 0; i < 6; ++i) {
    pair.last_client = pair.client->send({}).kind;
    pair.last_server = pair.server->receive(pair.buffer).kind;
    if (!pair.server->step_waits()) continue;
    CHECK(pair.last_server == Stream::Kind::would_block);
    CHECK_FALSE(pair.server->established());
    std::thread([&] { pair.server->step(); }).join();
    CHECK_FALSE(pair.server->step_waits());
    ++steps;
    CHECK(recv(pair.client->fd(), pair.buffer.data(), 1, MSG_PEEK) == -1);
    pair.last_server = pair.server->receive(pair.buffer).kind;
  }
  if (pair.client->established()) (void)pair.client->receive(pair.buffer);
  return steps;
}

TEST_CASE("a server's steps may be taken by other threads") {
  Pair pair(server_context(), client_context());
  pair.server->leave_steps();
  CHECK(shake_apart(pair) == 2);
  REQUIRE(pair.up());
  CHECK(pair.server->peer()->common_name == "alice");
  CHECK(pair.server->server_name() == "db.example");
  CHECK(carry(*pair.client, *pair.server, "to the server") == "to the server");
  CHECK(carry(*pair.server, *pair.client, "to the client") == "to the client");
}

TEST_CASE("what a step by another thread fails of is told as ever, and to both") {
  Pair pair(server_context(), *Context::client({"", "", world().ca}, {}));
  pair.server->leave_steps();
  // Of TLS 1.3, where the client is done before it hears of it.
  CHECK(shake_apart(pair) == 2);
  CHECK(pair.server->failure().cause == "the other side shows no certificate");
  CHECK(pair.server->failure().asked == "db.example");
  CHECK(pair.client->failure().kind == Failure::Kind::our_identity);
  // Whoever sends first learns of it likewise, once.
  Pair sending(server_context(), *Context::client({"", "", world().ca}, {}));
  sending.server->leave_steps();
  for (int i = 0; i < 2; ++i) {
    (void)sending.client->send({});
    CHECK(sending.server->send({}).kind == Stream::Kind::would_block);
    REQUIRE(sending.server->step_waits());
    sending.server->step();
    if (i == 0) CHECK(sending.server->send({}).kind == Stream::Kind::would_block);
    (void)sending.client->receive(sending.buffer);
  }
  CHECK(sending.server->send({}).kind == Stream::Kind::failed);
  CHECK(sending.server->failure().cause == "the other side shows no certificate");
  CHECK(sending.client->receive(sending.buffer).kind == Stream::Kind::failed);
  CHECK(sending.server->receive(sending.buffer).kind == Stream::Kind::would_block);
}

TEST_CASE("a peer that leaves before the next step is lost, without one") {
  Pair pair(server_context(), client_context());
  pair.server->leave_steps();
  (void)pair.client->send({});
  CHECK(pair.server->receive(pair.buffer).kind == Stream::Kind::would_block);
  REQUIRE(pair.server->step_waits());
  pair.server->step();
  pair.client.reset();
  CHECK(pair.server->receive(pair.buffer).kind == Stream::Kind::failed);
  CHECK_FALSE(pair.server->step_waits());
  CHECK(pair.server->failure().kind == Failure::Kind::lost);
}

// The client keeps its session from one connection and offers it in the next.
bool resumes(const ContextPtr& first, const ContextPtr& second) {
  const ContextPtr context = client_context();
  SSL_SESSION* session = nullptr;
  bool reused = false;
  for (const ContextPtr& at_server : {first, second}) {
    const auto fds = socket_pair();
    Stream server(at_server, fds[0], "");
    const SslPtr client(SSL_new(context->get()));
    SSL_set_msg_callback(client.get(), nullptr);
    SSL_set_verify(client.get(), SSL_VERIFY_NONE, nullptr);
    SSL_set_fd(client.get(), fds[1]);
    if (session != nullptr) SSL_set_session(client.get(), session);
    SSL_SESSION_free(session);
    SSL_set_connect_state(client.get());
    std::array<char, 100> buffer;
    for (int i = 0; i < 6; ++i) {
      SSL_do_handshake(client.get());
      (void)server.receive(buffer);
      if (SSL_is_init_finished(client.get()) == 1) SSL_read(client.get(), buffer.data(), 1);
    }
    REQUIRE(server.established());
    REQUIRE(server.peer()->common_name == "alice");
    reused = SSL_session_reused(client.get()) == 1;
    session = SSL_get1_session(client.get());
    SSL_set_shutdown(client.get(), SSL_SENT_SHUTDOWN);  // or the session counts as broken
    close(fds[1]);
  }
  SSL_SESSION_free(session);
  return reused;
}

TEST_CASE("a session is resumed, but never under other authorities") {
  const ContextPtr context = server_context();
  CHECK(resumes(context, context));
  const TestAuthority other;
  Material more = world().server_files();
  more.ca += other.ca;
  const ContextPtr changed = *Context::server(more, {});
  // The keys of the tickets as well, so that the authorities alone can make the difference.
  std::array<unsigned char, 80> keys{};
  SSL_CTX_set_tlsext_ticket_keys(context->get(), keys.data(), keys.size());
  SSL_CTX_set_tlsext_ticket_keys(changed->get(), keys.data(), keys.size());
  CHECK(resumes(context, context));
  CHECK_FALSE(resumes(context, changed));
}

}  // namespace
}  // namespace lattice::tls
