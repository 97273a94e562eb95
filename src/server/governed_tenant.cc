#include "server/governed_tenant.h"

#include <utility>

namespace lattice::server {
namespace {

using control::parse_document;

constexpr int attempts_max = 5;

void add_range(const std::string& key, const std::string& end, etcdserverpb::TxnRequest* txn) {
  etcdserverpb::RangeRequest& range = *txn->add_success()->mutable_request_range();
  range.set_key(key);
  range.set_range_end(end);
}

void add_swap(const std::string& key, int64_t revision, const std::string& text,
              etcdserverpb::TxnRequest* txn) {
  etcdserverpb::Compare& compare = *txn->add_compare();
  compare.set_key(key);
  compare.set_target(etcdserverpb::Compare::MOD);
  compare.set_result(etcdserverpb::Compare::EQUAL);
  compare.set_mod_revision(revision);
  if (text.empty()) return;
  etcdserverpb::PutRequest& put = *txn->add_success()->mutable_request_put();
  put.set_key(key);
  put.set_value(text);
}

}  // namespace

Status GovernedTenant::read() {
  const std::string nodes = control::node_key("");
  std::string nodes_end = nodes;
  ++nodes_end.back();
  etcdserverpb::TxnRequest request;
  add_range(manifest_key(), "", &request);
  add_range(routing_key(), "", &request);
  add_range(nodes, nodes_end, &request);
  const Result<etcdserverpb::TxnResponse> answer = plane_.read(request);
  if (!answer.ok()) return answer.status();
  if (answer->responses_size() != 3) {
    return {Error::backend_unavailable, "the control plane has answered something else"};
  }
  const auto text_in = [&](int index) {
    const auto& found = answer->responses(index).response_range();
    return found.kvs().empty() ? Text() : Text{found.kvs(0).value(), found.kvs(0).mod_revision()};
  };
  manifest_text_ = text_in(0);
  routing_text_ = text_in(1);
  manifest_ = {};
  if (has_manifest()) {
    Result<control::Document> parsed =
        parse_document(manifest_key(), manifest_text_.text, rules_.get());
    if (!parsed.ok()) return parsed.status();
    manifest_ = std::get<control::Manifest>(*std::move(parsed));
  }
  routing_.reset();
  if (routing_text_.revision != 0) {
    Result<control::Document> parsed =
        parse_document(routing_key(), routing_text_.text, rules_.get());
    if (parsed.ok()) routing_ = std::get<control::Routing>(*std::move(parsed));
  }
  nodes_.clear();
  for (const auto& kv : answer->responses(2).response_range().kvs()) {
    Result<control::Document> parsed = parse_document(kv.key(), kv.value(), rules_.get());
    if (!parsed.ok()) continue;
    nodes_[kv.key().substr(nodes.size())] = std::get<control::NodeRecord>(*std::move(parsed));
  }
  return {};
}

Result<GovernedTenant::Texts> GovernedTenant::texts(const Edit& edit) const {
  Texts texts{control::changed(manifest_text_.text, edit.manifest),
              edit.routing ? control::to_json(*edit.routing) : std::string()};
  const Result<control::Document> manifest =
      parse_document(manifest_key(), texts.manifest, rules_.get());
  if (!manifest.ok()) return manifest.status();
  if (!edit.routing) return texts;
  const Result<control::Document> routing =
      parse_document(routing_key(), texts.routing, rules_.get());
  if (!routing.ok()) return routing.status();
  return texts;
}

Result<bool> GovernedTenant::update(absl::FunctionRef<Result<std::optional<Edit>>()> decide) {
  Status trouble(Error::backend_unavailable,
                 "the control plane's documents are being changed by others all the time");
  bool unsure = false;
  for (int attempt = 0; attempt < attempts_max; ++attempt) {
    if (Status status = read(); !status.ok()) return status;
    const Result<std::optional<Edit>> edit = decide();
    if (!edit.ok()) return edit.status();
    // What nobody has answered may have been written after all.
    if (!*edit) return unsure;
    const Result<Texts> its_texts = texts(**edit);
    if (!its_texts.ok()) return its_texts.status();
    const Result<bool> written = write(*its_texts);
    if (written.ok() && *written) return true;
    if (written.ok()) continue;
    unsure = true;
    trouble = written.status();
  }
  return trouble;
}

Result<bool> GovernedTenant::write(const Texts& texts) {
  etcdserverpb::TxnRequest request;
  add_swap(manifest_key(), manifest_text_.revision, texts.manifest, &request);
  add_swap(routing_key(), routing_text_.revision, texts.routing, &request);
  const Result<etcdserverpb::TxnResponse> answer = plane_.write(request);
  if (!answer.ok()) return answer.status();
  return answer->succeeded();
}

}  // namespace lattice::server
