#include <doctest/doctest.h>

#include <string>

#include "config/load.h"

namespace lattice::config {
namespace {

Loaded load_keys(const std::map<std::string, std::string>& keys) {
  Request request;
  for (const auto& [key, text] : keys) request.command_line.push_back({"--" + key, key, text});
  return load(request);
}

std::string problems(const std::map<std::string, std::string>& keys) {
  std::string text;
  for (const Problem& problem : load_keys(keys).problems) text += to_text(problem) + "\n";
  return text;
}

bool has(const std::string& text, const char* part) { return text.find(part) != text.npos; }

const std::map<std::string, std::string> everywhere = {{"listeners.grpc.bind", "0.0.0.0:2379"},
                                                       {"listeners.grpc.tls_chain_path", "/c"},
                                                       {"listeners.grpc.tls_key_path", "/k"}};

TEST_CASE("with a certificate the port may be bound anywhere") {
  const Loaded loaded = load_keys(everywhere);
  REQUIRE(loaded.ok());
  CHECK(loaded.config.grpc.tls.chain == "/c");
  CHECK(loaded.config.grpc.tls.key == "/k");
  CHECK_FALSE(loaded.config.grpc.tls_1_3_only);
  auto strict = everywhere;
  strict["listeners.grpc.min_tls_version"] = "1.3";
  CHECK(load_keys(strict).config.grpc.tls_1_3_only);
}

TEST_CASE("production wants to know its clients") {
  auto keys = everywhere;
  keys["env"] = "production";
  CHECK(has(problems(keys), "production refuses clients without certificates"));
  keys["listeners.grpc.client_ca_path"] = "/a";
  CHECK(problems(keys).empty());
  CHECK(load_keys(keys).config.grpc.tls.ca == "/a");
}

TEST_CASE("a certificate, its key and its authority go together") {
  CHECK(has(problems({{"listeners.grpc.tls_chain_path", "/c"}}),
            "listeners.grpc.tls_chain_path: needs listeners.grpc.tls_key_path"));
  CHECK(has(problems({{"listeners.grpc.tls_key_path", "/k"}}),
            "listeners.grpc.tls_key_path: needs listeners.grpc.tls_chain_path"));
  CHECK(has(problems({{"listeners.grpc.client_ca_path", "/a"}}),
            "listeners.grpc.client_ca_path: needs listeners.grpc.tls_chain_path"));
  CHECK(has(problems({{"backend.url", "postgresql://h/d"}, {"cluster.ca_path", "/a"}}),
            "cluster.ca_path: goes with cluster.tls_chain_path"));
  const Loaded nodes = load_keys({{"backend.url", "postgresql://h/d"},
                                  {"cluster.tls_chain_path", "/c"},
                                  {"cluster.tls_key_path", "/k"},
                                  {"cluster.ca_path", "/a"},
                                  {"fanout.url", "rediss://h"},
                                  {"fanout.ca_path", "/r"}});
  REQUIRE(nodes.ok());
  CHECK(nodes.config.cluster.tls.ca == "/a");
  CHECK(nodes.config.fanout.tls.ca == "/r");
  CHECK_FALSE(nodes.config.fanout.tls.has_certificate());
}

}  // namespace
}  // namespace lattice::config
