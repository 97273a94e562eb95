// Keyspace's answers in the reference model's terms, so that the two can be compared with ==.
#pragma once

#include "keyspace/reference_model.h"

namespace lattice::keyspace {

inline ModelKv to_model(const KvRecord& kv) {
  return {std::string(kv.key()),
          std::string(kv.value()),
          kv.create_revision().value,
          kv.mod_revision().value,
          kv.version(),
          kv.lease().value};
}

inline ModelEvent to_model_event(const KvRecord& kv) {
  return {kv.mod_revision().value, kv.sub(), kv.tombstone(), to_model(kv)};
}

inline std::vector<ModelKv> to_model(const std::vector<KvRef>& kvs) {
  std::vector<ModelKv> out;
  for (const KvRef& kv : kvs) out.push_back(to_model(*kv));
  return out;
}

inline ModelRange to_model(const RangeResult& result) {
  ModelRange out{result.header_revision.value, to_model(result.kvs), result.more, result.count};
  for (ModelKv& kv : out.kvs) {
    if (!result.keys_only) break;
    kv.value.clear();
    if (!result.keys_only_with_lease) kv.lease = 0;
  }
  return out;
}

inline ModelPut to_model(const PutResult& result) {
  ModelPut out{result.header_revision.value, std::nullopt};
  if (result.prev) out.prev = to_model(*result.prev);
  return out;
}

inline ModelDelete to_model(const DeleteRangeResult& result) {
  return {result.header_revision.value, result.deleted, to_model(result.prevs)};
}

inline ModelTxn to_model(const TxnResult& result) {
  ModelTxn out{result.header_revision.value, result.succeeded, {}};
  for (const ResponseOp& response : result.responses) {
    if (const auto* range = std::get_if<RangeResult>(&response)) {
      out.responses.emplace_back(to_model(*range));
    } else if (const auto* put = std::get_if<PutResult>(&response)) {
      out.responses.emplace_back(to_model(*put));
    } else if (const auto* remove = std::get_if<DeleteRangeResult>(&response)) {
      out.responses.emplace_back(to_model(*remove));
    } else {
      const auto& nested = std::get<std::unique_ptr<TxnResult>>(response);
      out.responses.emplace_back(std::vector<ModelTxn>{to_model(*nested)});
    }
  }
  return out;
}

}  // namespace lattice::keyspace
