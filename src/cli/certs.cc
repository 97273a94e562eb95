#include "cli/certs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <ostream>
#include <system_error>

#include "cli/cli.h"
#include "tls/authority.h"

namespace lattice::cli {
namespace {

constexpr int exit_cannot_create = 73;  // EX_CANTCREAT
constexpr int authority_age_factor = 10;
constexpr mode_t certificate_mode = 0644;
constexpr mode_t key_mode = 0600;

struct NamedPair {
  std::string name;
  tls::PemPair pair;
};

std::string reason() { return std::generic_category().message(errno); }

// Empty, or what went wrong. Never replaces a file.
std::string write_file(const std::string& path, const std::string& text, mode_t mode) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0) return path + ": " + reason();
  const bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const bool closed = close(fd) == 0;
  return written && closed ? std::string() : path + ": " + reason();
}

Result<std::vector<NamedPair>> make_all(const CertsRequest& request) {
  Result<tls::Authority> authority =
      tls::Authority::create("Lattice CA", request.days * authority_age_factor);
  if (!authority.ok()) return authority.status();
  const std::string first = request.hosts.empty() ? "lattice" : request.hosts.front();
  const std::vector<std::pair<std::string, tls::CertificatePlan>> plans = {
      {"server", {first, request.hosts, /*for_server=*/true, false, request.days}},
      {"node", {first, request.hosts, /*for_server=*/true, /*for_client=*/true, request.days}},
      {"client", {request.client_name, {}, false, /*for_client=*/true, request.days}},
  };
  std::vector<NamedPair> pairs;
  Result<tls::PemPair> own = authority->own();
  if (!own.ok()) return own.status();
  pairs.push_back({"ca", std::move(*own)});
  for (const auto& [name, plan] : plans) {
    Result<tls::PemPair> pair = authority->issue(plan);
    if (!pair.ok()) return pair.status();
    pairs.push_back({name, std::move(*pair)});
  }
  return pairs;
}

}  // namespace

int init_certificates(const CertsRequest& request, std::ostream& out, std::ostream& err) {
  const std::filesystem::path folder = request.folder;
  Result<std::vector<NamedPair>> pairs = make_all(request);
  if (!pairs.ok()) {
    err << "error: " << pairs.status().detail() << "\n";
    return exit_usage;
  }
  std::error_code trouble;
  std::filesystem::create_directories(folder, trouble);
  for (const NamedPair& pair : *pairs) {
    for (const char* ending : {".crt", ".key"}) {
      const std::filesystem::path path = folder / (pair.name + ending);
      if (!std::filesystem::exists(path, trouble)) continue;
      err << "error: " << path.string() << " is there already; nothing was written\n";
      return exit_cannot_create;
    }
  }
  for (const NamedPair& pair : *pairs) {
    const std::string stem = (folder / pair.name).string();
    std::string problem = write_file(stem + ".crt", pair.pair.certificate, certificate_mode);
    if (problem.empty()) problem = write_file(stem + ".key", pair.pair.key, key_mode);
    if (!problem.empty()) {
      err << "error: " << problem << "\n";
      return exit_cannot_create;
    }
    out << "wrote " << stem << ".crt and " << stem << ".key\n";
  }
  return 0;
}

}  // namespace lattice::cli
