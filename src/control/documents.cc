#include "control/documents.h"

#include <json/reader.h>
#include <json/value.h>
#include <json/writer.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "base/tenant_name.h"

namespace lattice::control {
namespace {

// jsoncpp ends nesting that is too deep by an exception: it never gets to see it.
constexpr auto brackets_max = 1000;
constexpr size_t names_max = 1000;  // in one list
constexpr size_t name_bytes_max = 253;
constexpr int64_t epoch_max = int64_t{1} << 53;

std::string in_quotes(std::string_view text) { return "\"" + std::string(text) + "\""; }

std::string shown(const Json::Value& value) {
  Json::StreamWriterBuilder builder;
  builder["indentation"] = "";
  std::string text = Json::writeString(builder, value);
  if (text.size() > 60) text = text.substr(0, 60) + "...";
  return text;
}

bool is_printable(std::string_view name) {
  return !name.empty() && name.size() <= name_bytes_max &&
         std::ranges::all_of(name, [](char c) { return c > ' ' && c != '\x7f'; });
}

// The fields of one document. The first that is wrong is told; what is not asked for is wrong, too.
class Fields {
 public:
  Fields(const Json::Value& object, const Rules& rules) : object_(object), rules_(rules) {
    const int64_t format = integer("format", 1, 1, 0);
    if (format == 0 && problem_.empty()) problem_ = "format: missing; expected 1";
  }

  bool flag(const char* name, bool fallback) {
    const Json::Value* value = find(name);
    if (value == nullptr) return fallback;
    if (!value->isBool()) return wrong(name, "true or false", *value), fallback;
    return value->asBool();
  }
  int64_t integer(const char* name, int64_t min, int64_t max, int64_t fallback) {
    const Json::Value* value = find(name);
    return value == nullptr ? fallback : integer_of(name, *value, min, max).value_or(fallback);
  }
  std::string text(const char* name) {
    const Json::Value* value = find(name);
    if (value == nullptr) return {};
    if (!value->isString()) return wrong(name, "a string", *value), std::string();
    return value->asString();
  }
  // Names that `accepts`, each once.
  template <class Accepts>
  std::vector<std::string> names(const char* name, std::string_view what, Accepts accepts) {
    const Json::Value* value = find(name);
    std::vector<std::string> list;
    if (value == nullptr) return list;
    const std::string expected = "a list of at most 1000 " + std::string(what) + ", each once";
    if (!value->isArray() || value->size() > names_max) return wrong(name, expected, *value), list;
    std::set<std::string> seen;
    for (const Json::Value& each : *value) {
      if (!each.isString() || !accepts(each.asString()) || !seen.insert(each.asString()).second) {
        wrong(name, expected, each);
        break;
      }
      list.push_back(each.asString());
    }
    return list;
  }
  Limits limits(const char* name) {
    const Json::Value* value = find(name);
    Limits limits;
    if (value == nullptr) return limits;
    if (!value->isObject()) return wrong(name, "an object of limits", *value), limits;
    for (const std::string& each : value->getMemberNames()) {
      const std::string field = std::string(name) + "." + each;
      const auto known =
          std::ranges::find(rules_.limits, std::string_view(each), &LimitRange::name);
      if (known == rules_.limits.end()) {
        tell(field + ": no such limit; there are " + list_of_limits());
        break;
      }
      const auto number = integer_of(field, (*value)[each], known->min, known->max);
      if (number) limits.emplace(each, *number);
    }
    return limits;
  }
  void tell(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
  }

  // What is wrong, after all fields were asked for; empty: nothing.
  std::string finish() {
    for (const std::string& name : object_.getMemberNames()) {
      if (!asked_.contains(name)) tell(name + ": no such field; there are " + list_of_fields());
    }
    return problem_;
  }

 private:
  const Json::Value* find(const char* name) {
    asked_.insert(name);
    return object_.isMember(name) ? &object_[name] : nullptr;
  }
  void wrong(std::string_view field, std::string_view expected, const Json::Value& got) {
    tell(std::string(field) + ": expected " + std::string(expected) + ", got " + shown(got));
  }
  std::optional<int64_t> integer_of(std::string_view field, const Json::Value& value, int64_t min,
                                    int64_t max) {
    // 1.0 is an integer to jsoncpp; here it is one, too.
    if (value.isInt64() && value.asInt64() >= min && value.asInt64() <= max) return value.asInt64();
    wrong(field,
          min == max ? std::to_string(min)
                     : "an integer from " + std::to_string(min) + " to " + std::to_string(max),
          value);
    return std::nullopt;
  }
  std::string list_of_fields() const {
    std::string list;
    for (const std::string& name : asked_) list += (list.empty() ? "" : ", ") + name;
    return list;
  }
  std::string list_of_limits() const {
    std::string list;
    for (const LimitRange& limit : rules_.limits) {
      list += (list.empty() ? "" : ", ") + std::string(limit.name);
    }
    return list;
  }

  const Json::Value& object_;
  const Rules& rules_;
  std::set<std::string> asked_;
  std::string problem_;
};

struct Parsed {
  Document document;
  std::string problem;
};

Parsed parse_manifest(std::string_view tenant, Fields fields, const Rules& rules) {
  Manifest manifest;
  manifest.active = fields.flag("active", true);
  manifest.routing_epoch = fields.integer("routing_epoch", 0, epoch_max, 0);
  manifest.limits = fields.limits("limits");
  manifest.policies = fields.names("policies", "names of policies", is_tenant_name);
  manifest.identities = fields.names(
      "identities", "common or alternative names of certificates, without blanks", is_printable);
  manifest.backend = fields.text("backend");
  if (!manifest.backend.empty() &&
      std::ranges::find(rules.backends, manifest.backend) == rules.backends.end()) {
    std::string known;
    for (const std::string& each : rules.backends) {
      known += (known.empty() ? "" : ", ") + in_quotes(each);
    }
    fields.tell("backend: expected one of the configured " + known + ", got " +
                in_quotes(manifest.backend));
  }
  if (!manifest.active && tenant == rules.default_tenant) {
    fields.tell("active: expected true, for it is the default tenant");
  }
  return {std::move(manifest), fields.finish()};
}

Parsed parse_routing(std::string_view, Fields fields, const Rules&) {
  Routing routing;
  routing.nodes = fields.names("nodes", "names of nodes", is_printable);
  routing.leader = fields.text("leader");
  if (routing.nodes.empty()) fields.tell("nodes: missing; expected a list of names of nodes");
  if (!routing.leader.empty() &&
      std::ranges::find(routing.nodes, routing.leader) == routing.nodes.end()) {
    fields.tell("leader: expected one of nodes, got " + in_quotes(routing.leader));
  }
  return {std::move(routing), fields.finish()};
}

Parsed parse_policy(std::string_view, Fields fields, const Rules&) {
  Policy policy{fields.limits("limits")};
  return {std::move(policy), fields.finish()};
}

Parsed parse_node(std::string_view, Fields fields, const Rules&) {
  NodeRecord node;
  node.address = fields.text("address");
  node.client_urls = fields.names("client_urls", "URLs", is_printable);
  node.version = fields.text("version");
  return {std::move(node), fields.finish()};
}

struct Kind {
  std::string_view folder;
  bool of_tenant;  // else any printable name
  Parsed (*parse)(std::string_view name, Fields fields, const Rules& rules);
};
constexpr Kind kinds[] = {{"tenants/", true, parse_manifest},
                          {"routing/", true, parse_routing},
                          {"policies/", true, parse_policy},
                          {"nodes/", false, parse_node}};

}  // namespace

Result<Document> parse_document(std::string_view key, std::string_view text, const Rules& rules) {
  const auto refuse = [&](std::string_view reason) {
    return Status(Error::invalid_argument, std::string(key) + ": " + std::string(reason));
  };
  std::string_view name = key;
  if (name.starts_with(documents_prefix)) name.remove_prefix(documents_prefix.size());
  const auto kind =
      std::ranges::find_if(kinds, [&](const Kind& each) { return name.starts_with(each.folder); });
  if (kind == std::end(kinds)) {
    return refuse("no such kind of document; there are tenants/, routing/, policies/ and nodes/");
  }
  name.remove_prefix(kind->folder.size());
  if (kind->of_tenant ? !is_tenant_name(name) : !is_printable(name)) {
    return refuse(kind->of_tenant ? tenant_name_expectation : "expected a name without blanks");
  }
  if (text.size() > document_bytes_max) {
    return refuse("expected at most 65536 bytes, got " + std::to_string(text.size()));
  }
  const auto brackets = std::ranges::count_if(text, [](char c) { return c == '[' || c == '{'; });
  if (brackets > brackets_max) return refuse("expected at most 1000 brackets");
  Json::CharReaderBuilder builder;
  Json::CharReaderBuilder::strictMode(&builder.settings_);
  builder["stackLimit"] = brackets_max + 1;
  const std::unique_ptr<Json::CharReader> reader(builder.newCharReader());
  Json::Value value;
  std::string trouble;
  if (!reader->parse(text.data(), text.data() + text.size(), &value, &trouble)) {
    for (char& c : trouble) c = c == '\n' ? ' ' : c;
    return refuse("no JSON: " + trouble);
  }
  if (!value.isObject()) return refuse("expected a JSON object, got " + shown(value));
  Parsed parsed = kind->parse(name, Fields(value, rules), rules);
  if (!parsed.problem.empty()) return refuse(parsed.problem);
  return std::move(parsed.document);
}

std::string node_key(std::string_view node) {
  return std::string(documents_prefix) + "nodes/" + std::string(node);
}

std::string to_json(const NodeRecord& node) {
  Json::Value value;
  value["format"] = 1;
  value["address"] = node.address;
  value["client_urls"] = Json::Value(Json::arrayValue);
  for (const std::string& url : node.client_urls) value["client_urls"].append(url);
  value["version"] = node.version;
  Json::StreamWriterBuilder builder;
  builder["indentation"] = "";
  return Json::writeString(builder, value);
}

}  // namespace lattice::control
