#include "proxy/router.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace lattice::proxy {
namespace {

[[noreturn]] void registered_twice(std::string_view path) {
  std::fprintf(stderr, "registered twice: %.*s\n", static_cast<int>(path.size()), path.data());
  std::abort();
}

}  // namespace

void Router::add_grpc(std::string_view path, CallFactory factory) {
  if (!grpc_.emplace(path, std::move(factory)).second) registered_twice(path);
}

void Router::add_http(std::string_view path, HttpHandler handler) {
  if (!http_.emplace(path, std::move(handler)).second) registered_twice(path);
}

void Router::wrap_grpc(
    absl::FunctionRef<CallFactory(std::string_view path, CallFactory factory)> wrap) {
  for (auto& [path, factory] : grpc_) factory = wrap(path, std::move(factory));
}

void Router::require_certificates(std::vector<std::string> except) {
  certificates_required_ = true;
  open_paths_ = std::move(except);
}

bool Router::is_open(std::string_view path) const {
  return std::ranges::any_of(open_paths_, [path](const std::string& open) {
    return path == open || (open.ends_with('/') && path.starts_with(open));
  });
}

const CallFactory* Router::find_grpc(std::string_view path) const {
  const auto found = grpc_.find(path);
  return found == grpc_.end() ? nullptr : &found->second;
}

std::vector<std::string> Router::grpc_paths() const {
  std::vector<std::string> paths;
  for (const auto& [path, factory] : grpc_) paths.push_back(path);
  std::ranges::sort(paths);
  return paths;
}

const HttpHandler* Router::find_http(std::string_view path) const {
  if (const auto found = http_.find(path); found != http_.end()) return &found->second;
  // The longest registered "…/" above the path wins.
  for (size_t slash = path.rfind('/'); slash != std::string_view::npos;) {
    const auto found = http_.find(path.substr(0, slash + 1));
    if (found != http_.end()) return &found->second;
    if (slash == 0) break;
    slash = path.rfind('/', slash - 1);
  }
  return nullptr;
}

bool Router::knows_service(std::string_view path) const {
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return false;
  const std::string_view service = path.substr(0, slash + 1);
  for (const auto& [known, factory] : grpc_) {
    if (known.starts_with(service)) return true;
  }
  return false;
}

}  // namespace lattice::proxy
