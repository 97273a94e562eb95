// Keyspace against the reference model: random requests in random batches, committed or rolled
// back, with compactions that run step by step in between. A failure names its seed.
#include <doctest/doctest.h>

#include <map>

#include "keyspace/model_answers.h"
#include "keyspace/request_generator.h"

namespace lattice::keyspace {
namespace {

// One keyspace and one model, fed alike. The log is what a replica would have kept.
class Duel {
 public:
  explicit Duel(uint64_t seed)
      : generator_(seed), calls_per_compaction_(1 + generator_.below(20)) {}

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      switch (generator_.below(20)) {
        case 0:
          grant_or_revoke();
          break;
        case 1:
        case 2:
          end_batch();
          break;
        case 3:
          if (generator_.one_in(calls_per_compaction_)) compact();
          break;
        case 4:
        case 5:
        case 6:
          step_compaction();
          break;
        case 7:
        case 8:
        case 9:
        case 10:
          read();
          break;
        case 11:
          look_around();
          break;
        default:
          write();
      }
    }
    keyspace_.rollback();
    staged_ = visible_;
    records_.clear();
    while (compacting_) step_compaction();
    look_around();
    replay();
  }

 private:
  Keyspace::Stage stage() { return {seq_, &records_, lease_exists_}; }
  int64_t current() const { return staged_.revision(); }

  template <class T, class M>
  static void same(const Result<T>& answer, const Result<M>& expected) {
    REQUIRE(answer.error() == expected.error());
    if (answer.ok()) REQUIRE(to_model(*answer) == *expected);
  }

  void write() {
    switch (generator_.below(4)) {
      case 0: {
        const PutRequest request = generator_.put();
        same(keyspace_.stage_put(request, stage()), staged_.put(request));
        break;
      }
      case 1: {
        const DeleteRangeRequest request = generator_.remove();
        same(keyspace_.stage_delete_range(request, stage()),
             Result<ModelDelete>(staged_.delete_range(request)));
        break;
      }
      default: {
        const TxnRequest request = generator_.txn(current());
        if (!validate(request, 128).ok()) break;
        same(keyspace_.stage_txn(request, stage()), staged_.txn(request));
      }
    }
    REQUIRE(keyspace_.staged_revision().value == staged_.revision());
    REQUIRE(keyspace_.visible_revision().value == visible_.revision());
  }

  // Reads never see what is only staged.
  void read() {
    if (generator_.one_in(4)) {
      const TxnRequest request = generator_.txn(visible_.revision());
      if (!is_read_only(request) || !validate(request, 128).ok()) return;
      ReferenceModel copy = visible_;
      same(keyspace_.read_txn(request), copy.txn(request));
      return;
    }
    const RangeRequest request = generator_.range(visible_.revision());
    same(keyspace_.range(request), visible_.range(request));
  }

  void grant_or_revoke() {
    const LeaseId lease(1 + generator_.below(4));
    if (!staged_.lease_exists(lease)) {
      staged_.grant(lease);
      return;
    }
    REQUIRE(keyspace_.leased_keys(lease) == staged_.leased_keys(lease));
    keyspace_.stage_delete_leased(lease, stage());
    staged_.revoke(lease);
    REQUIRE(keyspace_.staged_revision().value == staged_.revision());
  }

  void end_batch() {
    if (generator_.one_in(3)) {
      keyspace_.rollback();
      staged_ = visible_;
    } else {
      keyspace_.commit(keyspace_.staged_revision());
      visible_ = staged_;
      for (size_t i = 0; i < records_.size(); ++i) {
        log_.emplace(std::pair(seq_.value, static_cast<uint32_t>(i)), records_[i]);
      }
      seq_ = seq_ + 1;
    }
    records_.clear();
  }

  void compact() {
    const Revision to(visible_.revision() + 1 - generator_.below(10));
    REQUIRE(keyspace_.check_compact(to) == ReferenceModel(visible_).compact(to));
    if (compacting_ || !keyspace_.check_compact(to).ok()) return;
    keyspace_.set_compact_revision(to);
    REQUIRE(visible_.compact(to).ok());
    REQUIRE(staged_.compact(to).ok());
    compacting_ = true;
  }

  void step_compaction() {
    if (!records_.empty()) end_batch();
    std::vector<RecordId> dropped;
    const size_t versions = static_cast<size_t>(1 + generator_.below(4));
    const Keyspace::CompactStep step = keyspace_.compact_step(versions, &dropped);
    REQUIRE(dropped.size() <= versions);
    for (const RecordId& id : dropped) REQUIRE(log_.erase({id.seq.value, id.index}) == 1);
    if (!compacting_ || !step.done) return;
    compacting_ = false;
    compaction_hash_ = step.hash;
  }

  void look_around() {
    std::vector<ModelEvent> events;
    std::vector<KvRef> versions;
    const int64_t from =
        std::max<int64_t>(visible_.compact_revision(), visible_.revision() - generator_.below(12));
    keyspace_.visit_history(Revision(from), [&](const KvRef& version) {
      versions.push_back(version);
      events.push_back(to_model_event(*version));
      return true;
    });
    REQUIRE(events == visible_.events(from));
    for (size_t i = 0; i < events.size(); ++i) {
      const KvRef previous = keyspace_.previous(*versions[i]);
      const std::optional<ModelKv> expected = visible_.previous(events[i]);
      REQUIRE(static_cast<bool>(previous) == expected.has_value());
      if (previous) REQUIRE(to_model(*previous) == *expected);
    }
    REQUIRE(keyspace_.key_count() == static_cast<size_t>(visible_.range(everything())->count));
    for (int64_t lease = 1; lease <= 4; ++lease) {
      REQUIRE(keyspace_.leased_keys(LeaseId(lease)) == staged_.leased_keys(LeaseId(lease)));
    }
  }

  static RangeRequest everything() {
    RangeRequest request;
    request.range = {std::string(1, '\0'), std::string(1, '\0')};
    return request;
  }

  // What is left of the log builds the same keyspace again, and the same hash.
  void replay() {
    size_t expected = 0;
    for (const ModelEvent& event : visible_.all_events()) {
      expected += visible_.still_there(event) ? 1 : 0;
    }
    REQUIRE(log_.size() == expected);
    Keyspace fresh;
    for (const auto& [id, record] : log_) {
      REQUIRE(fresh.apply(record, {Seq(id.first), id.second}).ok());
    }
    fresh.advance_to(Revision(visible_.revision()));
    if (visible_.compact_revision() >= 0) {
      fresh.set_compact_revision(Revision(visible_.compact_revision()));
      Keyspace::CompactStep step;
      std::vector<RecordId> dropped;
      while (!step.done) step = fresh.compact_step(3, &dropped);
      REQUIRE(dropped.empty());
      REQUIRE(step.hash == compaction_hash_);
    }
    std::swap(keyspace_, fresh);
    staged_ = visible_;
    look_around();
    for (int i = 0; i < 20; ++i) read();
    const Result<HashResult> hash = keyspace_.hash_kv(Revision(0));
    REQUIRE(hash->hash == fresh.hash_kv(Revision(0))->hash);
    REQUIRE(hash->compact_revision == fresh.hash_kv(Revision(0))->compact_revision);
  }

  RequestGenerator generator_;
  const int64_t calls_per_compaction_;
  Keyspace keyspace_;
  ReferenceModel visible_;
  ReferenceModel staged_;
  Seq seq_{1};
  std::vector<Record> records_;
  std::map<std::pair<uint64_t, uint32_t>, Record> log_;
  bool compacting_ = false;
  uint32_t compaction_hash_ = 0;
  std::function<bool(LeaseId)> lease_exists_ = [this](LeaseId id) {
    return staged_.lease_exists(id);
  };
};

TEST_CASE("random histories agree with the reference model") {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    Duel(seed).run(1500);
  }
}

}  // namespace
}  // namespace lattice::keyspace
