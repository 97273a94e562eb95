#include "server/server.h"

#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <vector>

#include "server/control_plane.h"
#include "server/databases.h"
#include "server/descriptors.h"
#include "server/exit_status.h"
#include "server/loop_threads.h"
#include "server/node_links.h"
#include "server/one_line.h"
#include "server/replica_options.h"
#include "server/routing.h"
#include "server/service_manager.h"
#include "server/signals.h"
#include "server/status_report.h"
#include "server/store.h"
#include "server/tls_sources.h"
#include "server/token_source.h"
#include "server/upkeep.h"
#include "server/watchdog.h"
#include "telemetry/version.h"

namespace lattice::server {
namespace {

constexpr Duration database_check = std::chrono::milliseconds(500);
// Besides those of clients: databases, files, links between nodes.
constexpr int64_t own_descriptors = 1000;
// Longer than a session outlives its process, and the takeover after it.
constexpr Duration takeover_patience = std::chrono::seconds(3);

// The life of the process: start, serve, drain, stop. Lives on the first worker's loop, which is
// the caller's thread; the tenants' replicas live there, too.
class Server {
 public:
  Server(const config::Config& config, telemetry::Logger& log, config::Reload reload)
      : config_(config),
        reload_(std::move(reload)),
        limits_(config.tenants.limits),
        telemetry_(log),
        dependencies_(Dependencies::of(config, telemetry_)),
        log_(log),
        tls_files_(log, telemetry_.registry) {}

  int run();

 private:
  // ---- Start ----
  Status make_workers();
  void publish_tokens(const std::string& cluster_secret);
  Status open_store();
  void open_tenant();
  void wait_for_database();
  void on_tenant_log(Result<OpenedLog> opened);
  void start_tenants(OpenedLog opened);
  void start_control_plane(const replica::NodeInfo& node);
  void on_role(bool leads);
  void announce();
  // ---- End ----
  void on_signal(int number);
  void drain();
  void on_drained();
  void stop_tenants();
  void stop_loops(int exit_status);
  void fail(std::string_view what, const Status& status, int exit_status);

  void reload();
  void report_status(bool whole, absl::AnyInvocable<void(std::string)> done);
  Worker& owner() { return *workers_.front(); }
  replica::Replica& replica() { return tenants_->default_tenant().replica(); }

  const config::Config& config_;
  const config::Reload reload_;
  TenantLimits limits_;  // of [tenants], those in force
  Signals signals_;      // before any thread
  SharedTelemetry telemetry_;
  const Dependencies dependencies_;
  telemetry::Logger& log_;
  TlsFiles tls_files_;
  TlsSources tls_;
  Workers workers_;
  LoopThreads threads_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<NodePort> node_port_;
  std::unique_ptr<NodeLinks> links_;
  TokenSource tokens_;
  std::unique_ptr<ControlPlane> control_plane_;  // null in mode standalone
  std::unique_ptr<Routing> routing_;             // likewise
  std::unique_ptr<Databases> tenants_;
  std::unique_ptr<loop::TimerHandle> timer_;  // of the current phase
  std::unique_ptr<Upkeep> upkeep_;
  std::unique_ptr<Watchdog> watchdog_;  // null where no service manager asks
  Instant started_at_;
  Instant give_up_;           // waiting for the database
  std::string told_trouble_;  // the newest that was logged while waiting
  bool announced_ = false;
  bool stopping_ = false;
  size_t draining_workers_ = 0;
  int exit_status_ = 0;
};

int Server::run() {
  log_.info("starting", {{"version", telemetry::lattice_version()},
                         {"threads", config_.server.threads},
                         {"pid", getpid()}});
  make_room_for_descriptors(config_.grpc.connections_max + own_descriptors);
  if (Status status = tokens_.open(config_.auth); !status.ok()) {
    log_.error("cannot use [auth] token", {{"cause", status}});
    return exit_configuration;
  }
  if (Result<TlsSources> tls = open_tls(config_, tls_files_); tls.ok()) {
    tls_ = *tls;
  } else {
    log_.error("cannot use the certificates", {{"cause", tls.status()}});
    return exit_configuration;
  }
  if (Status status = telemetry_.open_audit(config_); !status.ok()) {
    log_.error("cannot open [audit] output", {{"cause", status}});
    return exit_cannot_create;
  }
  if (Status status = make_workers(); !status.ok()) {
    log_.error("cannot listen", {{"cause", status}});
    return exit_os;
  }
  if (Status status = open_store(); !status.ok()) {
    const bool embedded = config_.backend.kind == config::BackendKind::sqlite;
    log_.error("cannot open the store",
               {{"store", embedded ? config_.paths.wal_dir : "PostgreSQL"}, {"cause", status}});
    return exit_status_of(status, config_.paths.wal_dir);
  }
  control_plane_ = ControlPlane::open(config_, tls_.control_plane,
                                      {owner().loop(), telemetry_, dependencies_.control_plane});
  signals_.watch(owner().loop(), [this](int number) { on_signal(number); });
  threads_.start(workers_);
  tls_files_.start();
  watchdog_ = watch_for_service_manager(workers_);
  open_tenant();
  owner().loop().run();

  timer_.reset();
  upkeep_.reset();
  watchdog_.reset();
  signals_.stop_watching();
  owner().close();
  if (node_port_ != nullptr) node_port_->close();
  tenants_.reset();
  control_plane_.reset();
  links_.reset();
  store_.reset();
  if (exit_status_ == 0) log_.info("stopped");
  return exit_status_;
}

Status Server::make_workers() {
  telemetry_.status = [this](bool whole, absl::AnyInvocable<void(std::string)> done) {
    owner().loop().post(
        [this, whole, done = std::move(done)]() mutable { report_status(whole, std::move(done)); });
  };
  std::string address = config_.grpc.bind;
  const auto counts = std::make_shared<proxy::ConnectionCounts>();
  for (int i = 0; i < config_.server.threads; ++i) {
    workers_.push_back(std::make_unique<Worker>(config_, telemetry_));
    if (Status status = workers_.back()->listen(address, tls_.client_port, counts); !status.ok()) {
      return status;
    }
    // With port 0 the first listener has picked the port for all.
    address = workers_.front()->address();
    workers_.back()->start_ticking();
  }
  telemetry_.registry.on_scrape([this] {
    size_t connections = 0;
    for (const auto& worker : workers_) connections += worker->connections();
    telemetry_.server.connections.set(static_cast<double>(connections));
  });
  if (!config_.telemetry.enabled) return {};
  return owner().listen_metrics(config_.telemetry.metrics_bind);
}

void Server::publish_tokens(const std::string& cluster_secret) {
  const auto tokens = tokens_.get(config_, cluster_secret, owner().environment());
  for (auto& worker : workers_) {
    worker->loop().post([&authority = worker->authority(), tokens] { authority.use(tokens); });
  }
}

Status Server::open_store() {
  Result<std::unique_ptr<Store>> store =
      server::open_store(config_, {owner().loop(), owner().environment(), log_, dependencies_});
  if (!store.ok()) return store.status();
  store_ = std::move(*store);
  return {};
}

void Server::open_tenant() {
  store_->open_log(config_.tenants.default_tenant,
                   [this](Result<OpenedLog> opened) { on_tenant_log(std::move(opened)); });
  started_at_ = owner().loop().now();
  give_up_ = started_at_ + config_.server.startup_timeout;
  timer_ = owner().loop().after(database_check, [this] { wait_for_database(); });
}

// The store tries again by itself; here its trouble is told to operators and clients.
void Server::wait_for_database() {
  if (Status health = store_->health(); !health.ok()) {
    const Status trouble(health.error(), one_line(health.detail()));
    if (owner().loop().now() >= give_up_) {
      return fail("the database stays unavailable", trouble, exit_backend_unavailable);
    }
    if (trouble.detail() != told_trouble_) {
      told_trouble_ = trouble.detail();
      log_.warn("waiting for the database", {{"cause", trouble}});
    }
    for (auto& worker : workers_) {
      worker->loop().post(
          [&tenants = worker->tenants(), trouble] { tenants.set_absence(trouble); });
    }
  }
  timer_ = owner().loop().after(database_check, [this] { wait_for_database(); });
}

void Server::on_tenant_log(Result<OpenedLog> opened) {
  if (stopping_) return;
  timer_.reset();
  if (opened.ok()) return start_tenants(std::move(*opened));
  fail("cannot open the log", opened.status(), exit_status_of(opened.status(), {}));
}

void Server::start_tenants(OpenedLog opened) {
  node_port_ = std::make_unique<NodePort>(
      config_, NodePort::Parts{owner().loop(), owner().environment(), log_, tls_});
  Result<std::unique_ptr<NodeLinks>> links =
      NodeLinks::open(config_, tls_, *node_port_,
                      {owner().loop(), owner().environment(), log_, dependencies_}, opened);
  if (!links.ok()) {
    const bool address = links.error() == Error::io;
    return fail(address ? "cannot listen to other nodes" : "cannot use [fanout] url",
                links.status(), address ? exit_os : exit_configuration);
  }
  links_ = std::move(*links);
  publish_tokens(opened.cluster_secret);
  replica::Options options = replica_options(config_);
  options.node = links_->info(owner().address());
  const replica::NodeInfo node = options.node;
  options.linear_bound = control_plane_.get();
  tenants_ = std::make_unique<Databases>(
      Databases::Parts{config_, telemetry_, *store_, *links_, *node_port_, workers_, tls_,
                       dependencies_, std::move(options), limits_},
      std::move(opened));
  auto deferred = [this](auto call) { owner().loop().defer(std::move(call)); };
  ReplicaObserver& observer = tenants_->default_tenant().observer();
  observer.on_role([this, deferred](bool leads) { deferred([this, leads] { on_role(leads); }); });
  observer.on_unusable([this, deferred](Status status) {
    deferred([this, status] {
      if (!announced_) fail("the log cannot be served", status, exit_status_of(status, {}));
    });
  });
  upkeep_ = std::make_unique<Upkeep>(
      Upkeep::Parts{owner().loop(), telemetry_, *store_, *links_, *tenants_, dependencies_});
  tenants_->start();
  start_control_plane(node);
}

void Server::start_control_plane(const replica::NodeInfo& node) {
  if (control_plane_ == nullptr) return;
  const std::string& port = owner().address();
  std::string name = config_.cluster.node_name;
  if (name.empty()) name = host_name() + port.substr(port.rfind(':'));
  routing_ = std::make_unique<Routing>(
      Routing::Parts{name, *links_, workers_, *control_plane_, *tenants_, log_});
  control_plane_->start(name,
                        {node.address, node.client_urls, std::string(telemetry::lattice_version())},
                        {.on_documents =
                             [this](std::shared_ptr<const control::Documents> documents) {
                               routing_->set_documents(*documents);
                               tenants_->set_documents(std::move(documents));
                             },
                         .on_bound =
                             [this] {
                               if (upkeep_ != nullptr) upkeep_->report_bound();
                             }});
}

// The log is read and somebody leads: requests get their answers from here on.
void Server::on_role(bool leads) {
  if (announced_ || stopping_) return;
  if (leads) return announce();
  const std::string leader = replica().leader_node().address;
  if (!leader.empty() && leader != links_->address()) {
    log_.info("following", {{"leader", leader}});
    return announce();
  }
  // After a crash the leader may be this process's own predecessor, whose session has yet to run
  // out.
  if (timer_ != nullptr) return;
  timer_ = owner().loop().after(takeover_patience, [this] {
    log_.info("standing by: another process leads this database");
    announce();
  });
}

void Server::announce() {
  announced_ = true;
  timer_.reset();
  std::string address = owner().address();
  std::string metrics = owner().metrics_address();
  log_.info("listening", {{"grpc", address}, {"metrics", metrics.empty() ? "off" : metrics}});
  const config::TlsFiles& tls = config_.grpc.tls;
  std::string endpoint = address;
  if (tls.has_certificate()) endpoint = "https://" + address + " --cacert=CA";
  if (!tls.ca.empty()) endpoint += " --cert=CERTIFICATE --key=KEY";
  log_.info("try: etcdctl --endpoints=" + endpoint + " put hello world");
  notify_service_manager("READY=1");
  upkeep_->start();
}

void Server::report_status(bool whole, absl::AnyInvocable<void(std::string)> done) {
  const Instant now = owner().loop().now();
  const StatusReport report{config_,        limits_,   dependencies_,     control_plane_.get(),
                            tenants_.get(), stopping_, now - started_at_, now};
  report.write(whole, std::move(done));
}

void Server::on_signal(int number) {
  if (number == SIGHUP) {
    if (reload_) reload();
    tls_files_.check_now();
    if (telemetry_.audit != nullptr) telemetry_.audit->look_at_file();
    return;
  }
  if (stopping_) _exit(exit_failure);  // asked twice: at once
  log_.info("stopping", {{"signal", number == SIGTERM ? "SIGTERM" : "SIGINT"}});
  drain();
}

// Applies what a running server can change; the logger has its part already.
void Server::reload() {
  const std::optional<config::Config> fresh = reload_();
  telemetry_.reloads.on_reload(fresh.has_value());
  if (!fresh) return;
  limits_ = fresh->tenants.limits;
  if (tenants_ != nullptr) tenants_->set_limits(limits_);
}

void Server::drain() {
  stopping_ = true;
  timer_.reset();
  upkeep_.reset();
  notify_service_manager("STOPPING=1");
  if (routing_ != nullptr) routing_->leave();
  draining_workers_ = workers_.size();
  for (auto& worker : workers_) {
    worker->loop().post([this, &worker = *worker] {
      worker.drain(config_.server.shutdown_delay, config_.server.shutdown_timeout,
                   [this] { owner().loop().post([this] { on_drained(); }); });
    });
  }
}

void Server::on_drained() {
  if (--draining_workers_ == 0) stop_tenants();
}

void Server::stop_tenants() {
  if (tenants_ == nullptr) return stop_loops(0);
  tenants_->stop([this] { links_->when_quiet([this] { stop_loops(0); }); });
}

// The other loops first: what their calls still ask of the replica while they go is the last that
// the owner's loop hears of them.
void Server::stop_loops(int exit_status) {
  exit_status_ = exit_status;
  for (size_t i = 1; i < workers_.size(); ++i) workers_[i]->loop().stop();
  threads_.join();
  for (size_t i = 1; i < workers_.size(); ++i) workers_[i]->close();
  owner().loop().stop();
}

void Server::fail(std::string_view what, const Status& status, int exit_status) {
  log_.error(what, {{"cause", status}});
  stopping_ = true;
  stop_loops(exit_status);
}

}  // namespace

int run(const config::Config& config, telemetry::Logger& log, config::Reload reload) {
  return Server(config, log, std::move(reload)).run();
}

}  // namespace lattice::server
