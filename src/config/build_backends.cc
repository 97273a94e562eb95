#include "config/layers.h"

namespace lattice::config {
namespace {

bool is_postgresql(std::string_view url) {
  return url.starts_with("postgresql://") || url.starts_with("postgres://");
}

}  // namespace

void use_direct_url(Loaded& loaded, std::string_view key, const std::string& direct_url,
                    Backend* backend) {
  if (direct_url.empty()) return;
  if (backend->kind != BackendKind::postgresql || backend->url.empty()) {
    return add_problem(loaded, key, "needs a url of the same PostgreSQL database");
  }
  if (!is_postgresql(direct_url)) return add_problem(loaded, key, "expected postgresql://...");
  backend->url = direct_url;
}

void build_backends(Loaded& loaded) {
  std::map<std::string, Backend>& backends = loaded.config.backends;
  std::map<std::string, std::string> direct_urls;  // by key
  for (const auto& [key, setting] : loaded.settings) {
    if (!key.starts_with(named_sections) || is_pattern(key)) continue;
    const std::string name(section_of(key).substr(named_sections.size()));
    Backend& backend = backends[name];
    backend.kind = BackendKind::postgresql;
    if (name_of(key) == "url") backend.url = std::get<std::string>(setting.value);
    if (name_of(key) == "direct_url") direct_urls[key] = std::get<std::string>(setting.value);
    if (name_of(key) == "pool_size") {
      backend.pool_size = static_cast<int>(std::get<int64_t>(setting.value));
    }
  }
  for (auto& [name, backend] : backends) {
    if (backend.pool_size == 0) backend.pool_size = 1;
    if (is_postgresql(backend.url)) continue;
    // Not echoed: a mistyped URL may hold a password.
    loaded.problems.push_back({"", std::string(named_sections) + name + ".url",
                               "expected postgresql://..., which is the one kind that a further "
                               "database can have"});
  }
  for (const auto& [key, direct_url] : direct_urls) {
    const std::string name(section_of(key).substr(named_sections.size()));
    use_direct_url(loaded, key, direct_url, &backends[name]);
  }
}

}  // namespace lattice::config
