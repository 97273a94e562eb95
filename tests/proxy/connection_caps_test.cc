// How many connections there may be: of a process, and of one client address.
#include <doctest/doctest.h>

#include "proxy/socket_address.h"
#include "proxy/test_client.h"
#include "proxy/test_server.h"

namespace lattice::proxy {
namespace {

// A connection whose client end has this address of the loopback network.
int connect_from(const char* source, const std::string& address) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in end{};
  end.sin_family = AF_INET;
  REQUIRE(inet_pton(AF_INET, source, &end.sin_addr) == 1);
  REQUIRE(bind(fd, reinterpret_cast<sockaddr*>(&end), sizeof end) == 0);
  end.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  end.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(connect(fd, reinterpret_cast<sockaddr*>(&end), sizeof end) == 0);
  return fd;
}

bool is_closed(int fd) {
  pollfd wait{fd, POLLIN, 0};
  char byte;
  return poll(&wait, 1, 10'000) == 1 && recv(fd, &byte, 1, 0) <= 0;
}

TEST_CASE("One address has only so many connections, and others have theirs") {
  Limits limits;
  limits.connections_per_address_max = 2;
  TestServer server(limits);
  const int first = connect_from("127.0.0.2", server.address);
  const int second = connect_from("127.0.0.2", server.address);
  REQUIRE(TestServer::eventually([&] { return server.connections() == 2; }));
  const int third = connect_from("127.0.0.2", server.address);
  CHECK(is_closed(third));
  // Counted behind the close.
  CHECK(TestServer::eventually([&] { return server.counters.failures == 1; }));
  TestClient other(server.address);
  CHECK(other.call("/test.Test/Echo", "x").grpc_status() == 0);
  close(first);
  REQUIRE(TestServer::eventually([&] { return server.connections() == 2; }));
  const int fourth = connect_from("127.0.0.2", server.address);
  REQUIRE(TestServer::eventually([&] { return server.connections() == 3; }));
  for (const int fd : {second, third, fourth}) close(fd);
}

TEST_CASE("Several listeners have one cap together") {
  Limits limits;
  limits.connections_max = 2;
  const auto counts = std::make_shared<ConnectionCounts>();
  TestServer here(limits, {nullptr, counts});
  TestServer there(limits, {nullptr, counts});
  auto first = std::make_unique<TestClient>(here.address);
  TestClient second(there.address);
  CHECK(first->call("/test.Test/Echo", "x").grpc_status() == 0);
  CHECK(second.call("/test.Test/Echo", "x").grpc_status() == 0);
  TestClient third(there.address);
  CHECK(third.wait_eof());
  first.reset();
  REQUIRE(TestServer::eventually([&] { return here.connections() == 0; }));
  TestClient fourth(there.address);
  CHECK(fourth.call("/test.Test/Echo", "x").grpc_status() == 0);
}

sockaddr_storage v6(const char* text) {
  sockaddr_storage address{};
  auto& in6 = reinterpret_cast<sockaddr_in6&>(address);
  in6.sin6_family = AF_INET6;
  REQUIRE(inet_pton(AF_INET6, text, &in6.sin6_addr) == 1);
  return address;
}

TEST_CASE("Addresses that one client can choose from count as one") {
  CHECK(source_of(v6("2001:db8:1:2::1")) == source_of(v6("2001:db8:1:2:ffff::7")));
  CHECK(source_of(v6("2001:db8:1:2::1")) != source_of(v6("2001:db8:1:3::1")));
  sockaddr_storage v4{};
  v4.ss_family = AF_INET;
  inet_pton(AF_INET, "192.0.2.7", &reinterpret_cast<sockaddr_in&>(v4).sin_addr);
  CHECK(source_of(v4) == source_of(v6("::ffff:192.0.2.7")));
  CHECK(source_of(v4) != source_of(v6("::ffff:192.0.2.8")));
}

}  // namespace
}  // namespace lattice::proxy
