#include "server/node_move.h"

#include <algorithm>
#include <utility>

namespace lattice::server {
namespace {

// A node that was not reached is asked again for longer than a hand-over is, which was declined.
constexpr Duration await_patience = std::chrono::seconds(30);
constexpr Duration move_look_interval = std::chrono::milliseconds(50);

Status no_move(std::string why) { return {Error::invalid_argument, std::move(why)}; }
std::string quoted(const std::string& name) { return "\"" + name + "\""; }

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

}  // namespace

// ---- What is to be written ----

control::Routing NodeMove::routing() const {
  control::Routing routing{wanted_.nodes, wanted_.leader};
  const std::optional<control::Routing>& before = parts_.governed.routing();
  if (routing.leader.empty() && before && contains(routing.nodes, before->leader)) {
    routing.leader = before->leader;
  }
  return routing;
}

Status NodeMove::check_documents() const {
  const GovernedTenant& governed = parts_.governed;
  const std::string& place = governed.manifest().backend;
  if (!place.empty() && place != wanted_.backend) {
    return no_move("the manifest of tenant " + quoted(wanted_.tenant) + " says backend " +
                   quoted(place) + ", and it is in " + quoted(wanted_.backend) +
                   "; correct that first, or finish the move by `lattice tenant move " +
                   wanted_.tenant + " --to " + wanted_.backend + "`");
  }
  if (!governed.manifest().active) {
    return no_move("tenant " + quoted(wanted_.tenant) + " is not active, by its manifest");
  }
  for (const std::string& node : wanted_.nodes) {
    const auto found = governed.nodes().find(node);
    if (found == governed.nodes().end()) {
      std::string known;
      for (const auto& [name, record] : governed.nodes()) {
        known += (known.empty() ? "" : ", ") + quoted(name);
      }
      return no_move("node " + quoted(node) + " is not registered with the control plane; " +
                     (known.empty() ? "none is" : "registered are " + known));
    }
    if (found->second.address.empty()) {
      return no_move("node " + quoted(node) +
                     " cannot be reached by other nodes: it needs [cluster] bind");
    }
  }
  return {};
}

const std::string& NodeMove::address_of(const std::string& node) const {
  return parts_.governed.nodes().find(node)->second.address;
}

// Each loads the tenant for its answer, so that it is served at once when its turn has come.
Status NodeMove::check_nodes() {
  if (parts_.nodes == nullptr) return {};
  for (const std::string& node : wanted_.nodes) {
    if (contains(checked_, node)) continue;
    parts_.tell("asking node " + quoted(node));
    const Result<NodeKnowledge> answer =
        parts_.nodes->ask(address_of(node), wanted_.tenant, /*routing_epoch=*/0);
    if (!answer.ok()) {
      // Where certificates are wrong, other nodes may not reach it either.
      const std::string remedy = parts_.nodes->remedy(address_of(node));
      return {Error::backend_unavailable,
              "node " + quoted(node) + " cannot serve the tenant, or not be asked from here: " +
                  answer.status().detail() + "; " +
                  (remedy.empty() ? "--no-wait asks nobody" : remedy)};
    }
    checked_.push_back(node);
  }
  return {};
}

Result<std::optional<NodeMove::Edit>> NodeMove::decide() {
  if (Status status = check_documents(); !status.ok()) return status;
  const GovernedTenant& governed = parts_.governed;
  outcome_.routing = routing();
  outcome_.routing_epoch = governed.manifest().routing_epoch;
  if (governed.routing() == outcome_.routing && outcome_.routing_epoch > 0) {
    return std::optional<Edit>();
  }
  if (Status status = check_nodes(); !status.ok()) return status;
  outcome_.routing_epoch = std::max(outcome_.routing_epoch, wanted_.epoch_above) + 1;
  return std::optional<Edit>(
      Edit{{.routing_epoch = outcome_.routing_epoch}, std::optional(outcome_.routing)});
}

Result<std::optional<GovernedTenant::Texts>> NodeMove::rehearse() {
  using Answer = std::optional<GovernedTenant::Texts>;
  if (Status status = parts_.governed.read(); !status.ok()) return status;
  const Result<std::optional<Edit>> edit = decide();
  if (!edit.ok()) return edit.status();
  if (!*edit) return Answer();
  Result<GovernedTenant::Texts> texts = parts_.governed.texts(**edit);
  if (!texts.ok()) return texts.status();
  return Answer(std::move(*texts));
}

Result<NodeMove::Outcome> NodeMove::run() {
  const Result<bool> written = parts_.governed.update([this] { return decide(); });
  if (!written.ok()) return written.status();
  outcome_.written = *written;
  if (Status status = await(); !status.ok()) return status;
  return outcome_;
}

// ---- What is awaited ----

Status NodeMove::await() {
  if (parts_.nodes == nullptr) return {};
  late_ = wanted_.nodes;
  const Instant began = parts_.blocking.environment.now();
  std::string told;
  while (true) {
    const std::string missing = look();
    outcome_.taken = parts_.blocking.environment.now() - began;
    if (missing.empty()) return {};
    if (missing != told) parts_.tell("waiting: " + missing);
    told = missing;
    if (outcome_.taken >= await_patience) break;
    parts_.blocking.pause(move_look_interval);
  }
  return {Error::timeout,
          "the control plane has the documents, with routing epoch " +
              std::to_string(outcome_.routing_epoch) + ", but for 30 seconds " + told +
              "; requests go where the nodes know it. Run the command again to go on waiting"};
}

std::string NodeMove::look() {
  std::string missing;
  const auto note = [&](const std::string& what) {
    missing += (missing.empty() ? "" : ", ") + what;
  };
  bool led = false;
  for (const std::string& node : wanted_.nodes) {
    const bool may_lead = outcome_.routing.leader.empty() || outcome_.routing.leader == node;
    const bool late = contains(late_, node);
    if (!late && (led || !may_lead)) continue;
    const Result<NodeKnowledge> answer =
        parts_.nodes->ask(address_of(node), wanted_.tenant, outcome_.routing_epoch);
    if (!answer.ok()) {
      note("node " + quoted(node) + " does not answer (" + answer.status().detail() + ")");
      continue;
    }
    if (answer->routing_epoch >= outcome_.routing_epoch) {
      std::erase(late_, node);
    } else if (late) {
      note("node " + quoted(node) + " knows routing epoch " +
           std::to_string(answer->routing_epoch));
    }
    if (may_lead && answer->leads()) led = true;
  }
  if (led) return missing;
  const std::string& leader = outcome_.routing.leader;
  note(leader.empty() ? "none of the nodes leads the tenant"
                      : "node " + quoted(leader) + " does not lead the tenant");
  return missing;
}

}  // namespace lattice::server
