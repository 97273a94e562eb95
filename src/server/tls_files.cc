#include "server/tls_files.h"

#include <utility>

namespace lattice::server {
namespace {

constexpr Duration check_interval = std::chrono::seconds(1);
// Session tickets are sealed under a key of the context's; no key is used for longer than this.
constexpr Duration context_age_max = std::chrono::hours(12);

}  // namespace

TlsFiles::TlsFiles(telemetry::Logger& log, telemetry::Registry& registry)
    : log_(log),
      expiry_(registry.gauges("lattice_tls_certificate_expiry_timestamp_seconds",
                              "When the certificate in use expires, in seconds since 1970.",
                              {"use"})),
      stale_(registry.gauges("lattice_tls_files_refused",
                             "1 while the certificate files cannot be used and older ones are.",
                             {"use"})),
      reloads_(registry.counters("lattice_tls_reloads_total",
                                 "Changed certificate files that were taken or refused.",
                                 {"use", "result"})) {}

TlsFiles::~TlsFiles() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Result<std::shared_ptr<const tls::Source>> TlsFiles::add(std::string use, tls::Files files,
                                                         Make make) {
  Result<tls::Material> material = tls::read_files(files);
  if (!material.ok()) return material.status();
  Result<std::shared_ptr<const tls::Context>> context = make(*material);
  if (!context.ok()) {
    return Status(context.error(), "TLS of " + use + ": " + context.status().detail());
  }
  Entry entry;
  entry.use = std::move(use);
  entry.files = std::move(files);
  entry.make = std::move(make);
  entry.source = std::make_shared<tls::Source>(*context);
  entry.in_use = entry.seen = std::move(*material);
  if ((*context)->expired()) {
    log_.warn("the certificate has expired", {{"use", entry.use}, {"file", entry.files.chain}});
  }
  show(entry, **context);
  entries_.push_back(std::move(entry));
  return std::shared_ptr<const tls::Source>(entries_.back().source);
}

void TlsFiles::start() {
  if (!entries_.empty()) thread_ = std::thread([this] { run(); });
}

void TlsFiles::check_now() {
  {
    std::lock_guard lock(mutex_);
    check_now_ = true;
  }
  changed_.notify_all();
}

void TlsFiles::run() {
  while (true) {
    bool at_once = false;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, check_interval, [this] { return stopping_ || check_now_; });
      if (stopping_) return;
      at_once = std::exchange(check_now_, false);
    }
    for (Entry& entry : entries_) look(entry, at_once);
  }
}

void TlsFiles::look(Entry& entry, bool at_once) {
  entry.age += check_interval;
  Result<tls::Material> read = tls::read_files(entry.files);
  if (!read.ok()) {
    // A file that is just being replaced may be missing for a moment.
    const bool again = std::exchange(entry.seen, {}) == tls::Material{};
    if ((again || at_once) && read.status().detail() != entry.told_trouble) {
      entry.told_trouble = read.status().detail();
      refuse(entry, read.status());
    }
    return;
  }
  const bool stable = *read == entry.seen;
  entry.seen = *read;
  if (!stable && !at_once) return;
  if (*read == entry.in_use) {
    stale_.with({entry.use}).set(0);
    entry.told_trouble.clear();
    entry.refused = {};
    if (entry.age < context_age_max) return;
  } else if (*read == entry.refused) {
    return;
  }
  take(entry, *read);
}

void TlsFiles::take(Entry& entry, const tls::Material& material) {
  Result<std::shared_ptr<const tls::Context>> context = entry.make(material);
  const bool changed = material != entry.in_use;
  Status problem = context.status();
  if (context.ok() && changed && (*context)->expired()) {
    problem = Status(Error::invalid_argument, "the new certificate has expired already");
  }
  if (!problem.ok()) {
    entry.refused = material;
    return refuse(entry, problem);
  }
  entry.source->set(*context);
  entry.in_use = material;
  entry.refused = {};
  entry.told_trouble.clear();
  entry.age = {};
  show(entry, **context);
  if (!changed) return;
  reloads_.with({entry.use, "ok"}).add();
  log_.info("new certificate files are in use",
            {{"use", entry.use}, {"certificate", (*context)->names().describe()}});
}

void TlsFiles::refuse(Entry& entry, const Status& status) {
  reloads_.with({entry.use, "refused"}).add();
  stale_.with({entry.use}).set(1);
  log_.error("changed certificate files cannot be used; those in use stay",
             {{"use", entry.use}, {"cause", status}});
}

void TlsFiles::show(const Entry& entry, const tls::Context& context) {
  stale_.with({entry.use}).set(0);
  if (context.expiry() == 0) return;
  expiry_.with({entry.use}).set(static_cast<double>(context.expiry()));
}

}  // namespace lattice::server
