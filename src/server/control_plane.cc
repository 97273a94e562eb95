#include "server/control_plane.h"

#include <algorithm>
#include <utility>

#include "backends/common/random.h"
#include "control/cache_file.h"

namespace lattice::server {
namespace {

using control::CacheState;
using std::chrono::milliseconds;
using std::chrono::seconds;

control::Follower::Options follower_options(const config::ControlPlane& config,
                                            std::shared_ptr<const tls::Source> tls,
                                            SharedDependency dependency) {
  const ControlTiming timing = control_timing(config);
  control::Follower::Options options;
  options.endpoints = config.endpoints;
  options.tls = std::move(tls);
  options.probe_interval = timing.probe_interval;
  options.request_timeout = timing.request_timeout;
  options.backoff_max = timing.backoff_max;
  options.dependency = std::move(dependency);
  return options;
}

// How long a request waits for what it may know better.
constexpr Duration refresh_patience = seconds(2);

}  // namespace

// A view stays Fresh over several probes, and over the death of an endpoint.
ControlTiming control_timing(const config::ControlPlane& config) {
  return {std::clamp<Duration>(config.cache_ttl / 6, milliseconds(100), seconds(10)),
          std::clamp<Duration>(config.cache_ttl / 6, milliseconds(250), seconds(3)),
          std::clamp<Duration>(config.cache_ttl / 4, milliseconds(250), seconds(5))};
}

std::string trouble_of(CacheState state) {
  if (control::vouches(state)) return {};
  return "the control-plane cache is " + std::string(control::name_of(state));
}

std::unique_ptr<ControlPlane> ControlPlane::open(const config::Config& config,
                                                 std::shared_ptr<const tls::Source> tls,
                                                 const Surroundings& around) {
  if (config.control_plane.clustor()) {
    return std::make_unique<ControlPlane>(config, std::move(tls), around);
  }
  telemetry::ControlMetrics(around.telemetry.registry)
      .set_state(control::name_of(CacheState::fresh));
  return nullptr;
}

ControlPlane::ControlPlane(const config::Config& config, std::shared_ptr<const tls::Source> tls,
                           const Surroundings& around)
    : config_(config.control_plane),
      around_(around),
      file_(config.paths.data_dir + "/control-plane.cache"),
      default_tenant_(config.tenants.default_tenant),
      rules_(config),
      metrics_(around.telemetry.registry),
      cache_({config_.cache_ttl, config_.cache_grace, rules_.get()}),
      follower_(around.loop, follower_options(config_, std::move(tls), around.dependency), *this),
      disk_(around.loop, "control-plane", 1) {
  metrics_.set_state(control::name_of(told_state_));
  restore();
}

ControlPlane::~ControlPlane() = default;

Status ControlPlane::check(Instant now) const {
  std::string trouble = trouble_of(cache_.state(now));
  return trouble.empty() ? Status()
                         : Status(Error::linearizability_unavailable, std::move(trouble));
}

void ControlPlane::restore() {
  const Result<std::string> text = control::read_whole(file_);
  if (text.ok() && text->empty()) return;
  const Result<control::CacheFile> file =
      text.ok() ? control::decode(*text) : Result<control::CacheFile>(text.status());
  if (!file.ok()) {
    log().warn("the control plane's cache on disk is of no use",
               {{"file", file_}, {"cause", file.status()}});
    return;
  }
  const std::string boot = control::boot_id();
  cache_.restore(file->saved, !boot.empty() && boot == file->boot_id);
  log().info("documents of the control plane, as last known, from disk",
             {{"file", file_},
              {"documents", file->saved.versions.size()},
              {"revision", file->saved.origin.revision},
              {"state", control::name_of(cache_.state(around_.loop.now()))}});
}

void ControlPlane::start(const std::string& node, const control::NodeRecord& self, Events events) {
  events_ = std::move(events);
  control::Registration::Options options;
  options.key = control::node_key(node);
  options.document = control::to_json(self);
  options.request_timeout = seconds(2);
  options.on_trouble = [this](const std::string& trouble) {
    log().warn("cannot register this node with the control plane", {{"cause", trouble}});
  };
  registration_ = std::make_unique<control::Registration>(around_.loop, std::move(options));
  tell_documents();
  look_at_state();
  follower_.start();
}

void ControlPlane::leave() {
  if (registration_ != nullptr) registration_->leave();
}

// ---- control::Follower::Host ----

Status ControlPlane::on_all(const control::Origin& origin, std::vector<control::Version> all,
                            Instant asked_at) {
  Status status = cache_.take_all(origin, std::move(all), asked_at);
  if (!status.ok()) return refused(std::move(status));
  tell_documents();
  look_at_state();
  end_refresh(asked_at);
  save();
  return {};
}

Status ControlPlane::on_changes(uint64_t cluster_id, std::vector<control::Version> changes) {
  Status status = cache_.take_changes(cluster_id, std::move(changes));
  if (!status.ok()) return refused(std::move(status));
  tell_documents();
  save();
  return {};
}

Result<bool> ControlPlane::on_probe(const control::Origin& origin, int64_t count, int64_t newest,
                                    Instant asked_at) {
  Result<bool> known = cache_.confirm(origin, count, newest, asked_at);
  if (!known.ok()) return refused(known.status());
  tell_governance();
  look_at_state();
  if (*known) end_refresh(asked_at);
  // What is on disk need not be as new: a restart is Cached at best.
  if (asked_at - saved_proof_ >= config_.cache_ttl / 8) save();
  return known;
}

void ControlPlane::on_connected(const std::string& endpoint, control::Connection& connection) {
  metrics_.up.set(1);
  told_troubles_.clear();
  log().info("following the control plane",
             {{"endpoint", endpoint}, {"revision", cache_.origin().revision}});
  registration_->on_connected(connection);
}

void ControlPlane::on_disconnected(const std::string& endpoint, const std::string& reason) {
  metrics_.up.set(0);
  metrics_.disconnects.add();
  registration_->on_disconnected();
  // Once for each kind of trouble; numbers are behind the colon.
  if (!told_troubles_.insert(endpoint + reason.substr(0, reason.find(':'))).second) return;
  log().warn("the control plane does not answer as it should; trying the next endpoint",
             {{"endpoint", endpoint}, {"cause", reason}});
}

void ControlPlane::random_bytes(std::span<uint8_t> out) {
  backends::fill_random(out.data(), out.size());
}

Status ControlPlane::refused(Status status) {
  metrics_.refused_answers.add();
  return status;
}

// ---- What others are told ----

void ControlPlane::tell_documents() {
  const std::shared_ptr<const control::Documents> documents = cache_.documents();
  metrics_.documents.with({"tenants"}).set(static_cast<double>(documents->tenants.size()));
  metrics_.documents.with({"routing"}).set(static_cast<double>(documents->routing.size()));
  metrics_.documents.with({"policies"}).set(static_cast<double>(documents->policies.size()));
  metrics_.documents.with({"nodes"}).set(static_cast<double>(documents->nodes.size()));
  tell_problems();
  std::erase_if(heard_epochs_,
                [&](const auto& heard) { return heard.second <= routing_epoch(heard.first); });
  tell_governance();
  events_.on_documents(documents);
}

void ControlPlane::tell_governance() {
  auto said = std::make_shared<Governance>();
  said->manifest_digest = cache_.manifests_digest();
  const auto& tenants = cache_.documents()->tenants;
  const auto manifest = tenants.find(default_tenant_);
  if (manifest != tenants.end()) said->routing_epoch = manifest->second.routing_epoch;
  if (cache_.freshness().known()) said->proved_at = cache_.freshness().proved_at();
  around_.telemetry.governance.set(std::move(said));
}

void ControlPlane::tell_problems() {
  const auto& problems = cache_.problems();
  metrics_.documents_refused.set(static_cast<double>(problems.size()));
  if (problems == told_problems_) return;
  for (const auto& [key, why] : problems) {
    const auto told = told_problems_.find(key);
    if (told != told_problems_.end() && told->second == why) continue;
    log().warn(
        "a document of the control plane is refused; its last good version, if there "
        "was one, stays in force",
        {{"document", key}, {"cause", why}});
  }
  for (const auto& [key, why] : told_problems_) {
    if (!problems.contains(key)) {
      log().info("nothing is wrong with a document any more", {{"document", key}});
    }
  }
  told_problems_ = problems;
}

void ControlPlane::look_at_state() {
  const Instant now = around_.loop.fresh_now();
  const CacheState state = cache_.state(now);
  around_.telemetry.cache_state.store(state, std::memory_order_relaxed);
  if (state != std::exchange(told_state_, state)) {
    metrics_.set_state(control::name_of(state));
    const auto level = control::vouches(state) ? telemetry::Level::info : telemetry::Level::error;
    log().log(level,
              control::vouches(state)
                  ? "the control-plane cache has another state"
                  : "the control-plane cache is too old: linearizable reads are refused",
              {{"state", control::name_of(state)}});
    events_.on_bound();
  }
  const Instant next = cache_.freshness().next_change(now);
  state_timer_.reset();
  if (next == Instant::never()) return;
  state_timer_ = around_.loop.after(next - now, [this] { look_at_state(); });
}

// ---- Routing epochs ----

int64_t ControlPlane::routing_epoch(std::string_view tenant) const {
  const auto& tenants = cache_.documents()->tenants;
  const auto found = tenants.find(tenant);
  return found == tenants.end() ? 0 : found->second.routing_epoch;
}

void ControlPlane::hear_of_epoch(const std::string& tenant, int64_t epoch) {
  if (epoch <= routing_epoch(tenant)) return;
  int64_t& heard = heard_epochs_[tenant];
  heard = std::max(heard, epoch);
  events_.on_bound();
}

Status ControlPlane::check_tenant(std::string_view tenant, Instant now) const {
  if (Status status = check(now); !status.ok()) return status;
  const auto heard = heard_epochs_.find(tenant);
  if (heard == heard_epochs_.end()) return {};
  return {Error::linearizability_unavailable,
          "the routing epoch is " + std::to_string(routing_epoch(tenant)) +
              ", and another node knows of " + std::to_string(heard->second)};
}

void ControlPlane::refresh(loop::Task done) {
  refreshing_.push_back(std::move(done));
  if (refreshing_.size() > 1) return;
  refresh_began_ = around_.loop.now();
  refresh_timer_ = around_.loop.after(refresh_patience, [this] { end_refresh(Instant::never()); });
  follower_.probe_soon();
}

void ControlPlane::end_refresh(Instant asked_at) {
  // An answer to what was asked before proves too little.
  if (refreshing_.empty() || asked_at < refresh_began_) return;
  refresh_timer_.reset();
  std::vector<loop::Task> waiting;
  waiting.swap(refreshing_);
  for (loop::Task& done : waiting) done();
}

// ---- The disk ----

void ControlPlane::save() {
  if (std::exchange(writing_, true)) {
    write_again_ = true;
    return;
  }
  saved_proof_ = cache_.freshness().proved_at();
  auto text = std::make_shared<std::string>(control::encode({cache_.save(), control::boot_id()}));
  auto outcome = std::make_shared<Status>();
  disk_.run(
      [file = file_, text, outcome] { *outcome = control::replace_file(file, *text); },
      [this, outcome] {
        writing_ = false;
        if (!outcome->ok() && !std::exchange(disk_failed_, true)) {
          log().warn("cannot keep the control plane's documents on disk", {{"cause", *outcome}});
        }
        if (outcome->ok()) disk_failed_ = false;
        if (std::exchange(write_again_, false)) save();
      });
}

}  // namespace lattice::server
