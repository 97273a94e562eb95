#include "control/document_edits.h"

#include <json/reader.h>
#include <json/value.h>
#include <json/writer.h>

#include <memory>

namespace lattice::control {
namespace {

std::string written(const Json::Value& value) {
  Json::StreamWriterBuilder builder;
  builder["indentation"] = "";
  return Json::writeString(builder, value);
}

}  // namespace

std::string manifest_key(std::string_view tenant) {
  return std::string(documents_prefix) + "tenants/" + std::string(tenant);
}

std::string routing_key(std::string_view tenant) {
  return std::string(documents_prefix) + "routing/" + std::string(tenant);
}

std::string changed(std::string_view text, const ManifestChange& change) {
  Json::Value value(Json::objectValue);
  if (!text.empty()) {
    const std::unique_ptr<Json::CharReader> reader(Json::CharReaderBuilder().newCharReader());
    reader->parse(text.data(), text.data() + text.size(), &value, nullptr);
  }
  value["format"] = 1;
  value["routing_epoch"] = Json::Int64(change.routing_epoch);
  if (change.backend) value["backend"] = *change.backend;
  return written(value);
}

std::string to_json(const Routing& routing) {
  Json::Value value(Json::objectValue);
  value["format"] = 1;
  value["nodes"] = Json::Value(Json::arrayValue);
  for (const std::string& node : routing.nodes) value["nodes"].append(node);
  if (!routing.leader.empty()) value["leader"] = routing.leader;
  return written(value);
}

}  // namespace lattice::control
