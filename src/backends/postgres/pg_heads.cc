#include "backends/postgres/pg_heads.h"

#include <utility>

#include "absl/container/flat_hash_map.h"
#include "backends/postgres/pg_load.h"

namespace lattice::backends {
namespace {

// What a removal deletes is no history that was lost.
constexpr const char* heads_sql =
    "SELECT newest.seq, previous, digest, epoch, incarnation, batch_id, last_revision,"
    " record_count, wanted.log_no FROM unnest($1::int4[]) AS wanted (log_no)"
    " JOIN lattice.logs l ON l.log_no = wanted.log_no"
    "  AND l.state IN ('active', 'moving', 'sealing', 'arriving')"
    " LEFT JOIN LATERAL (SELECT * FROM lattice.batch b"
    "  WHERE b.log_no = wanted.log_no ORDER BY b.seq DESC LIMIT 1) newest ON true";
constexpr int log_no_column = 8;

Result<replica::LogHead> head_of(const PgResult& rows, int row) {
  replica::LogHead head;
  if (rows.integer(row, 0) == 0) return head;
  auto header = header_of(rows, row);
  if (!header.ok()) return header.status();
  head.newest = *header;
  head.epoch = header->epoch;
  head.leader = header->incarnation;
  return head;
}

}  // namespace

void PgHeads::ask(int32_t log_no, std::weak_ptr<bool> alive, Callback<replica::LogHead> done) {
  questions_.push_back({log_no, std::move(alive), std::move(done)});
  if (questions_.size() > 1) return;
  loop_.defer([this, weak = std::weak_ptr<bool>(alive_)] {
    if (!weak.expired()) send();
  });
}

void PgHeads::send() {
  std::vector<Question> questions = std::exchange(questions_, {});
  PgArray logs = PgArray::int4(questions.size());
  for (const Question& question : questions) logs.add(question.log_no);
  PgCommand command;
  command.text = heads_sql;
  command.params.add_array(std::move(logs));
  command.patience = patience_;
  command.done = [questions = std::move(questions)](PgReply reply) mutable {
    answer(questions, std::move(reply));
  };
  connection_.execute(std::move(command));
}

void PgHeads::answer(std::vector<Question>& questions, PgReply reply) {
  absl::flat_hash_map<int64_t, int> rows;  // by the log's number
  for (int i = 0; i < reply.result.rows(); ++i) {
    rows[reply.result.integer(i, log_no_column)] = i;
  }
  for (Question& question : questions) {
    if (question.alive.expired()) continue;
    const auto row = rows.find(question.log_no);
    if (!reply.done()) {
      question.done(reply.status);
    } else if (row == rows.end()) {
      question.done(Status(Error::tenant_unknown, "this tenant was removed"));
    } else {
      question.done(head_of(reply.result, row->second));
    }
  }
}

}  // namespace lattice::backends
