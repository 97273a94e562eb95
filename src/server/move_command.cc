#include "server/move_command.h"

#include <algorithm>
#include <ostream>
#include <utility>

namespace lattice::server {
namespace {

using backends::TenantRow;
using backends::TenantState;

Status refused(std::string why) { return {Error::invalid_argument, std::move(why)}; }

bool is_under_way(const TenantRow& row) {
  return row.state == TenantState::moving || row.state == TenantState::sealing;
}

// The tenant's row in that database if it is the copy of this log, and in use.
Result<std::optional<TenantRow>> active_row(OpenedDatabase& database, const std::string& tenant,
                                            const replica::LogId& log) {
  Result<backends::TenantList> all = database.list();
  if (!all.ok()) return all.status();
  for (TenantRow& row : all->tenants) {
    if (row.name == tenant && row.state == TenantState::active && row.log_id == log) {
      return std::optional<TenantRow>(std::move(row));
    }
  }
  return std::optional<TenantRow>();
}

int64_t in_ms(Duration time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
}

}  // namespace

MoveCommand::MoveCommand(const Parts& parts)
    : parts_(parts), command_(parts.command), rules_(parts.config), tls_files_(*log_, registry_) {}

Status MoveCommand::run() {
  if (Status status = open_control_plane(); !status.ok()) return status;
  return command_.nodes.empty() ? to_backend() : to_nodes();
}

Status MoveCommand::open_control_plane() {
  const config::ControlPlane& plane = parts_.config.control_plane;
  if (!plane.clustor()) {
    return command_.nodes.empty() ? Status()
                                  : refused(
                                        "--to-nodes needs a control plane ([control_plane] mode = "
                                        "\"clustor\"); in mode "
                                        "standalone every process serves every tenant, and "
                                        "`etcdctl move-leader` moves "
                                        "the leadership");
  }
  Result<TlsSources> tls = open_calling_tls(parts_.config, tls_files_);
  // Whatever is wrong with a file, it is what the configuration names.
  if (!tls.ok()) return refused(tls.status().detail());
  tls_ = *std::move(tls);
  plane_ = std::make_unique<PlaneClient>(parts_.blocking, plane.endpoints, tls_.control_plane);
  governed_ = std::make_unique<GovernedTenant>(*plane_, rules_, command_.name);
  return {};
}

void MoveCommand::tell(const std::string& text) {
  if (command_.progress) parts_.err << text << "\n" << std::flush;
}

// ---- To another database ----

Status MoveCommand::to_backend() {
  const Result<OpenedDatabase*> to = parts_.databases.open(command_.backend);
  if (!to.ok()) return to.status();
  const Result<Found> source =
      parts_.databases.find(command_.name, [&](const OpenedDatabase& here, const TenantRow& row) {
        return is_under_way(row) || (row.state == TenantState::active && &here != *to);
      });
  if (source.error() == Error::tenant_unknown) return already_there(**to);
  if (!source.ok()) return source.status();
  const TenantRow& row = source->row;
  if (is_under_way(row) && row.other_backend != command_.backend) {
    return refused("tenant \"" + command_.name + "\" is being moved to backend \"" +
                   row.other_backend + "\"; finish or abort that");
  }
  return move_from(*source, **to);
}

Status MoveCommand::move_from(const Found& source, OpenedDatabase& to) {
  OpenedDatabase& from = *source.database;
  for (OpenedDatabase* database : {&from, &to}) {
    if (database->store() != nullptr && database->store()->moves() != nullptr) continue;
    return refused("only tenants in PostgreSQL can be moved, to another PostgreSQL; backend \"" +
                   database->backend() +
                   "\" is an embedded file. `etcdctl make-mirror` copies keys between two servers "
                   "that run, without history, leases and users: docs/guide.md, \"What cannot be "
                   "moved\", has the steps");
  }
  TenantMove move({parts_.blocking, from, to, [this](const std::string& text) { tell(text); },
                   [this] { return governed_epoch(); }},
                  source.row);
  if (command_.abort) {
    Status status = move.abort();
    return status.ok() ? say("kept") : status;
  }
  const Result<std::optional<TenantRow>> there = active_row(to, command_.name, source.row.log_id);
  if (!there.ok()) return there.status();
  if (*there) {
    const Status told = tell_manifest((*there)->routing_epoch);
    if (Status status = move.bury(); !status.ok()) return status;
    return told.ok() ? say("moved") : told;
  }
  const Result<TenantMove::Outcome> outcome = move.run();
  if (!outcome.ok()) return outcome.status();
  Status told = tell_manifest(outcome->routing_epoch);
  if (Status status = move.bury(); !status.ok()) return status;
  if (told.ok()) print(*outcome, from.backend());
  return told;
}

// A move that was finished, but for its last steps perhaps.
Status MoveCommand::already_there(OpenedDatabase& to) {
  Result<Found> found = parts_.databases.find_active(command_.name);
  if (!found.ok()) return found.status();
  if (found->database != &to || command_.abort) {
    return refused("there is no move of tenant \"" + command_.name + "\" to backend \"" +
                   to.backend() + "\"");
  }
  if (Status status = tell_manifest(found->row.routing_epoch); !status.ok()) return status;
  for (const auto& [backend, database] : parts_.databases.opened()) {
    const Result<backends::TenantList> all = database->list();
    if (!all.ok()) return all.status();
    for (const TenantRow& old : all->tenants) {
      if (old.state != TenantState::moved || old.log_id != found->row.log_id) continue;
      if (Status status = database->sweep(old.log_no); !status.ok()) return status;
    }
  }
  return say("moved");
}

Result<int64_t> MoveCommand::governed_epoch() {
  if (governed_ == nullptr) return 0;
  if (Status status = governed_->read(); !status.ok()) return status;
  return governed_->manifest().routing_epoch;
}

// Until then servers know by its epoch that the manifest speaks of the time before the move.
Status MoveCommand::tell_manifest(int64_t routing_epoch) {
  if (governed_ == nullptr) return {};
  using Edit = GovernedTenant::Edit;
  const Result<bool> written = governed_->update([&]() -> Result<std::optional<Edit>> {
    const control::Manifest& manifest = governed_->manifest();
    const bool says_so =
        manifest.backend == command_.backend && manifest.routing_epoch >= routing_epoch;
    if (!governed_->has_manifest()) return std::optional<Edit>();
    manifest_epoch_ =
        says_so ? manifest.routing_epoch : std::max(manifest.routing_epoch + 1, routing_epoch);
    if (says_so) return std::optional<Edit>();
    return std::optional<Edit>(
        Edit{{.routing_epoch = manifest_epoch_, .backend = command_.backend}});
  });
  if (!written.ok()) {
    return {
        written.error(),
        "the tenant is moved, but its manifest could not be written: " + written.status().detail() +
            ". It is served where it is now; run the command again to write the manifest"};
  }
  return {};
}

Status MoveCommand::say(std::string_view what) {
  if (command_.json) {
    parts_.out << "{\"name\":\"" << command_.name << "\",\"" << what << "\":true}\n";
  } else {
    parts_.out << "tenant " << command_.name << " " << what << "\n";
  }
  return {};
}

void MoveCommand::print(const TenantMove::Outcome& outcome, const std::string& from) {
  std::ostream& out = parts_.out;
  const std::string waited =
      outcome.interrupted ? std::to_string(in_ms(*outcome.interrupted)) : "null";
  if (command_.json) {
    out << "{\"name\":\"" << command_.name << "\",\"moved\":true,\"from\":\"" << from
        << "\",\"to\":\"" << command_.backend << "\",\"records\":" << outcome.records
        << ",\"revision\":" << outcome.revision << ",\"routing_epoch\":" << outcome.routing_epoch
        << ",\"manifest_epoch\":" << manifest_epoch_ << ",\"interrupted_ms\":" << waited << "}\n";
    return;
  }
  out << "tenant " << command_.name << " moved from " << from << " to " << command_.backend
      << " at revision " << outcome.revision << "; requests waited "
      << (outcome.interrupted ? "for about " + waited + " ms"
                              : "from when a command before this one had the log sealed")
      << "\n";
  if (manifest_epoch_ > 0) {
    out << "its manifest says so, with routing epoch " << manifest_epoch_ << "\n";
  }
}

// ---- To other nodes ----

Status MoveCommand::to_nodes() {
  const Result<Found> found =
      parts_.databases.find(command_.name, [](const OpenedDatabase&, const TenantRow& row) {
        return row.state == TenantState::active || is_under_way(row);
      });
  if (!found.ok()) return found.status();
  if (is_under_way(found->row)) {
    return refused("tenant \"" + command_.name + "\" is being moved to backend \"" +
                   found->row.other_backend + "\"; finish or abort that first");
  }
  Result<std::unique_ptr<NodeQuestions>> nodes = node_questions();
  if (!nodes.ok()) return nodes.status();
  NodeMove move({parts_.blocking, *governed_, command_.wait ? nodes->get() : nullptr,
                 [this](const std::string& text) { tell(text); }},
                {.tenant = command_.name,
                 .nodes = command_.nodes,
                 .leader = command_.leader,
                 .epoch_above = found->row.routing_epoch,
                 .backend = found->database->backend()});
  if (command_.dry_run) return rehearse(move);
  const Result<NodeMove::Outcome> outcome = move.run();
  if (!outcome.ok()) return outcome.status();
  print(*outcome);
  return {};
}

// Other nodes are reached at the ports that go with [backend], whatever database a tenant is in.
Result<std::unique_ptr<NodeQuestions>> MoveCommand::node_questions() {
  const Result<OpenedDatabase*> database = parts_.databases.open(config::default_backend);
  if (!database.ok()) return database.status();
  Store* const store = (*database)->store();
  if (store == nullptr || store->moves() == nullptr) {
    return refused(
        "[backend] is an embedded file, which one process alone serves: there are no other nodes. "
        "Several can serve a tenant that is in PostgreSQL; docs/guide.md, \"What cannot be "
        "moved\", "
        "says how it gets there");
  }
  const OpenedLog shared = store->without_log();
  std::vector<std::string> secrets = parts_.config.cluster.secrets;
  if (secrets.empty()) secrets.push_back(shared.cluster_secret);
  return std::make_unique<NodeQuestions>(
      parts_.blocking,
      NodeQuestions::Parts{std::move(secrets), shared.cluster_id, tls_.node_calls});
}

Status MoveCommand::rehearse(NodeMove& move) {
  const Result<std::optional<GovernedTenant::Texts>> texts = move.rehearse();
  if (!texts.ok()) return texts.status();
  if (!*texts) {
    parts_.out << "nothing would be written: the documents say so already\n";
    return {};
  }
  parts_.out << "would be written:\n"
             << control::routing_key(command_.name) << "\n"
             << (*texts)->routing << "\n"
             << control::manifest_key(command_.name) << "\n"
             << (*texts)->manifest << "\n";
  return {};
}

void MoveCommand::print(const NodeMove::Outcome& outcome) {
  std::ostream& out = parts_.out;
  const std::string& leader = outcome.routing.leader;
  std::string nodes;
  for (const std::string& node : outcome.routing.nodes) {
    const std::string shown = command_.json ? "\"" + node + "\"" : node;
    nodes += (nodes.empty() ? "" : command_.json ? "," : ", ") + shown;
  }
  if (command_.json) {
    out << "{\"name\":\"" << command_.name << "\",\"nodes\":[" << nodes << "],\"leader\":\""
        << leader << "\",\"routing_epoch\":" << outcome.routing_epoch
        << ",\"written\":" << (outcome.written ? "true" : "false")
        << ",\"waited\":" << (command_.wait ? "true" : "false")
        << ",\"taken_ms\":" << in_ms(outcome.taken) << "}\n";
    return;
  }
  out << "tenant " << command_.name << " is " << (command_.wait ? "" : "to be ") << "served by "
      << nodes;
  if (!leader.empty()) out << " and led by " << leader;
  out << ", routing epoch " << outcome.routing_epoch;
  if (!outcome.written) out << ", as before";
  if (command_.wait) out << "; all of them know it since " << in_ms(outcome.taken) << " ms";
  out << "\n";
}

}  // namespace lattice::server
