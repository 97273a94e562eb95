#include "load/revision_ledger.h"

#include "load/etcd_messages.h"

namespace lattice::load {

bool read_revision(Client& client, std::string_view key, int64_t& revision) {
  std::string body;
  std::string answer;
  encode_range(body, key, {}, 0);
  return client.call(range_path, std::move(body), answer) && decode_revision(answer, revision);
}

std::string RevisionLedger::verdict(int64_t end) const {
  if (answered_ != sent_) {
    return std::to_string(sent_ - answered_) + " writes were not answered";
  }
  const auto advance = static_cast<uint64_t>(end - start_);
  if (advance != sent_) {
    return "revision advanced by " + std::to_string(advance) + " for " + std::to_string(sent_) +
           " writes";
  }
  if (sum_ != sent_ * (sent_ + 1) / 2) return "some revisions were answered twice";
  return {};
}

}  // namespace lattice::load
