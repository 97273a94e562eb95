#include "control/follower.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace lattice::control {
namespace {

constexpr std::string_view range_path = "/etcdserverpb.KV/Range";
constexpr std::string_view watch_path = "/etcdserverpb.Watch/Watch";
// Each document may be as large as etcd lets it be; one answer has a bound.
constexpr int64_t page_keys = 40;
constexpr Duration backoff_min = std::chrono::milliseconds(50);
// However often a proof is wanted.
constexpr Duration probe_spacing = std::chrono::milliseconds(100);

etcdserverpb::RangeRequest all_documents(std::string from) {
  etcdserverpb::RangeRequest request;
  request.set_key(std::move(from));
  request.set_range_end(std::string(documents_end));
  return request;
}

SharedDependency make_dependency(const Follower::Options& options) {
  if (options.dependency != nullptr) return options.dependency;
  return std::make_shared<Dependency>(CircuitBreaker::Options{}, nullptr);
}

}  // namespace

Follower::Follower(loop::Loop& loop, Options options, Host& host)
    : loop_(loop),
      options_(std::move(options)),
      dependency_(make_dependency(options_)),
      host_(host),
      context_(std::make_shared<proxy::ClientContext>(loop)) {}

// The watch first: it knows its connection.
Follower::~Follower() { watch_.reset(); }

void Follower::start() {
  // Not every node asks the same member.
  uint8_t random[4] = {};
  host_.random_bytes(random);
  endpoint_ = std::bit_cast<uint32_t>(random) % options_.endpoints.size();
  connect();
}

void Follower::connect() {
  // What failed dies here, outside its own callbacks.
  watch_.reset();
  timer_.reset();
  failed_ = false;
  connection_ = std::make_unique<Connection>(*context_, options_.endpoints[endpoint_], options_.tls,
                                             options_.request_timeout,
                                             [this](const std::string& reason) { fail(reason); });
  list();
}

// ---- The list ----

void Follower::list() {
  all_.clear();
  listed_at_ = asked_at_ = loop_.now();
  list_page(std::string(documents_prefix), 0);
}

void Follower::list_page(std::string from, int64_t revision) {
  etcdserverpb::RangeRequest request = all_documents(std::move(from));
  request.set_limit(page_keys);
  request.set_revision(revision);
  connection_->call<etcdserverpb::RangeRequest, etcdserverpb::RangeResponse>(
      range_path, request, options_.request_timeout,
      [this, revision](const Result<etcdserverpb::RangeResponse>& page) {
        on_page(page, revision);
      });
}

void Follower::on_page(const Result<etcdserverpb::RangeResponse>& page, int64_t revision) {
  if (!page.ok()) return fail(page.status().detail());
  const auto& header = page->header();
  if (revision == 0) {
    listed_ = {header.cluster_id(), header.revision()};
  } else if (header.cluster_id() != listed_.cluster_id) {
    return fail("its answers come from several clusters");
  }
  for (const auto& kv : page->kvs()) {
    all_.push_back({kv.key(), kv.value(), kv.mod_revision(), false});
  }
  if (!page->more() || page->kvs().empty() || all_.size() > documents_max) return on_listed();
  // The key behind the last one.
  list_page(all_.back().key + std::string(1, '\0'), listed_.revision);
}

void Follower::on_listed() {
  const Status status = host_.on_all(listed_, std::exchange(all_, {}), listed_at_);
  if (!status.ok()) return fail(status.detail());
  dependency_->succeeded(loop_.now());
  if (watch_ == nullptr) {
    watch();
    host_.on_connected(options_.endpoints[endpoint_], *connection_);
  }
  probe_later();
}

// ---- The watch ----

void Follower::watch() {
  etcdserverpb::WatchRequest request;
  etcdserverpb::WatchCreateRequest& create = *request.mutable_create_request();
  create.set_key(std::string(documents_prefix));
  create.set_range_end(std::string(documents_end));
  create.set_start_revision(listed_.revision + 1);
  watch_ = connection_->open(watch_path, request.SerializeAsString(), *this);
}

void Follower::on_message(Bytes message) {
  if (failed_) return;
  etcdserverpb::WatchResponse response;
  const std::string_view bytes = message.view();
  if (!response.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return fail("its watch sends no such message");
  }
  if (response.canceled()) return fail("it has ended the watch: " + response.cancel_reason());
  std::vector<Version> changes;
  for (const auto& event : response.events()) {
    changes.push_back({event.kv().key(), event.kv().value(), event.kv().mod_revision(),
                       event.type() == mvccpb::Event::DELETE});
  }
  if (changes.empty()) return;
  const Status status = host_.on_changes(response.header().cluster_id(), std::move(changes));
  if (!status.ok()) fail(status.detail());
}

void Follower::on_end(const proxy::ClientStreamEnd& end) {
  fail("the watch has ended: " + end.status.message);
}

// ---- The proof ----

void Follower::probe_later() {
  const Duration soon = std::max<Duration>(probed_at_ + probe_spacing - loop_.now(), {});
  timer_ = loop_.after(probe_wanted_ ? soon : options_.probe_interval, [this] { probe(); });
}

void Follower::probe_soon() {
  probe_wanted_ = true;
  const bool waits = timer_ != nullptr && watch_ != nullptr && !failed_;
  if (waits) probe_later();
}

void Follower::probe() {
  timer_.reset();
  probe_wanted_ = false;
  probed_at_ = loop_.now();
  asked_at_ = loop_.now();
  etcdserverpb::RangeRequest request = all_documents(std::string(documents_prefix));
  request.set_limit(1);
  request.set_sort_target(etcdserverpb::RangeRequest::MOD);
  request.set_sort_order(etcdserverpb::RangeRequest::DESCEND);
  request.set_keys_only(true);
  connection_->call<etcdserverpb::RangeRequest, etcdserverpb::RangeResponse>(
      range_path, request, options_.request_timeout,
      [this, asked_at = loop_.now()](const Result<etcdserverpb::RangeResponse>& found) {
        if (!found.ok()) return fail(found.status().detail());
        const Origin origin{found->header().cluster_id(), found->header().revision()};
        const int64_t newest = found->kvs().empty() ? 0 : found->kvs(0).mod_revision();
        const Result<bool> known = host_.on_probe(origin, found->count(), newest, asked_at);
        if (!known.ok()) return fail(known.status().detail());
        failures_ = 0;
        dependency_->answered(loop_.now() - asked_at);
        dependency_->succeeded(loop_.now());
        *known ? probe_later() : list();
      });
}

// ---- The end of a connection ----

void Follower::fail(const std::string& reason) {
  if (std::exchange(failed_, true)) return;
  connection_->close();
  host_.on_disconnected(options_.endpoints[endpoint_], reason);
  endpoint_ = (endpoint_ + 1) % options_.endpoints.size();
  const Instant now = loop_.now();
  // Nothing was asked while the next probe is waited for: then only the watch has ended.
  const Instant began = timer_ == nullptr ? asked_at_ : now;
  dependency_->failed({Error::backend_unavailable, reason}, began, now, fraction());
  try_later(pause());
  ++failures_;
}

void Follower::try_later(Duration delay) {
  const Duration refused = dependency_->breaker().refuses_for(loop_.now());
  timer_ = loop_.after(std::max(delay, refused), [this] {
    dependency_->try_begin(loop_.fresh_now()) ? connect() : try_later(backoff_min);
  });
}

double Follower::fraction() {
  uint8_t random[4] = {};
  host_.random_bytes(random);
  return std::bit_cast<uint32_t>(random) / 4294967296.0;
}

Duration Follower::pause() {
  // Each endpoint once without much ado; then less and less often.
  const auto rounds = std::min<size_t>(failures_ / options_.endpoints.size(), 10);
  const Duration longest =
      std::min<Duration>(backoff_min * (int64_t{1} << rounds), options_.backoff_max);
  return Duration(
      static_cast<int64_t>((0.5 + fraction() / 2) * static_cast<double>(longest.count())));
}

}  // namespace lattice::control
