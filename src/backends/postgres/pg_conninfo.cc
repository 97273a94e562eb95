#include "backends/postgres/pg_conninfo.h"

#include <libpq-fe.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

namespace lattice::backends {
namespace {

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> parts(1);
  for (const char c : list) {
    if (c == ',') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

std::string element(const std::vector<std::string>& list, size_t i) {
  if (list.size() == 1) return list[0];
  return i < list.size() ? list[i] : std::string();
}

}  // namespace

Result<PgConninfo> PgConninfo::parse(const std::string& text) {
  char* error = nullptr;
  const std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> options(
      PQconninfoParse(text.c_str(), &error), PQconninfoFree);
  if (options == nullptr) {
    Status status(Error::invalid_argument,
                  std::string("PostgreSQL URL: ") + (error != nullptr ? error : "out of memory"));
    PQfreemem(error);
    return status;
  }
  PgConninfo info;
  std::string hosts;
  std::string addresses;
  std::string ports;
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    const std::string_view keyword = option->keyword;
    if (keyword == "host") {
      hosts = option->val;
    } else if (keyword == "hostaddr") {
      addresses = option->val;
    } else if (keyword == "port") {
      ports = option->val;
    } else if (keyword != "target_session_attrs") {
      info.given_.emplace_back(option->keyword, option->val);
    }
  }
  if (hosts.empty() && addresses.empty()) {
    // libpq would look there by itself, and resolve what it finds.
    if (const char* host = std::getenv("PGHOST")) hosts = host;
  }
  const auto host_list = split(hosts);
  const auto address_list = split(addresses);
  const auto port_list = split(ports);
  for (size_t i = 0; i < std::max(host_list.size(), address_list.size()); ++i) {
    Host host;
    host.host = i < host_list.size() ? host_list[i] : "";
    host.address = i < address_list.size() ? address_list[i] : "";
    host.port = element(port_list, i);
    info.hosts_.push_back(std::move(host));
  }
  return info;
}

std::vector<std::pair<std::string, std::string>> PgConninfo::keywords(
    const Host& resolved, std::string_view application_name) const {
  auto keywords = given_;
  const auto set_default = [&](const char* keyword, std::string value) {
    for (const auto& [given, ignored] : given_) {
      if (given == keyword) return;
    }
    keywords.emplace_back(keyword, std::move(value));
  };
  keywords.emplace_back("host", resolved.host);
  if (!resolved.address.empty()) keywords.emplace_back("hostaddr", resolved.address);
  keywords.emplace_back("port", resolved.port);
  set_default("application_name", std::string(application_name));
  // A peer that is gone is noticed within about ten seconds, whether we wait or send (P3).
  set_default("keepalives_idle", "5");
  set_default("keepalives_interval", "2");
  set_default("keepalives_count", "3");
  set_default("tcp_user_timeout", "10000");
  keywords.emplace_back("client_encoding", "UTF8");
  return keywords;
}

std::string PgConninfo::describe(const Host& host) {
  std::string text = !host.host.empty() ? host.host : host.address;
  if (!host.port.empty()) text += ':' + host.port;
  return text;
}

std::optional<Duration> PgConninfo::connect_timeout() const {
  for (const auto& [keyword, value] : given_) {
    // As libpq has it: less than two seconds cannot be told apart, and nothing means for ever.
    const int seconds = keyword == "connect_timeout" ? std::atoi(value.c_str()) : 0;
    if (seconds > 0) return std::chrono::seconds(std::max(2, seconds));
  }
  return std::nullopt;
}

std::string PgConninfo::describe() const {
  std::string text;
  for (const Host& host : hosts_) {
    if (!text.empty()) text += ',';
    text += describe(host);
  }
  for (const auto& [keyword, value] : given_) {
    if (keyword == "dbname") text += '/' + value;
  }
  return text;
}

}  // namespace lattice::backends
