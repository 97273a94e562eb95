// Records as the array parameters of a statement, one array for each column.
// Thread: any; a value.
#pragma once

#include <vector>

#include "backends/postgres/pg_values.h"
#include "replica/batch.h"

namespace lattice::backends {

// Room that the arrays need.
struct PgRecordSizes {
  size_t count = 0;
  size_t key_bytes = 0;
  size_t value_bytes = 0;

  void add(const std::vector<keyspace::Record>& records) {
    count += records.size();
    for (const keyspace::Record& record : records) {
      key_bytes += record.key.size();
      value_bytes += record.value.size();
    }
  }
};

class PgRecordArrays {
 public:
  explicit PgRecordArrays(const PgRecordSizes& sizes)
      : kinds_(PgArray::int2(sizes.count)),
        revisions_(PgArray::int8(sizes.count)),
        subs_(PgArray::int4(sizes.count)),
        keys_(PgArray::bytea(sizes.count, sizes.key_bytes)),
        values_(PgArray::bytea(sizes.count, sizes.value_bytes)),
        create_revisions_(PgArray::int8(sizes.count)),
        versions_(PgArray::int8(sizes.count)),
        leases_(PgArray::int8(sizes.count)),
        numbers_(PgArray::int8(sizes.count)) {}

  void add(const keyspace::Record& record) {
    kinds_.add(static_cast<int16_t>(record.kind));
    revisions_.add(record.revision.value);
    subs_.add(record.sub);
    keys_.add(record.key.view());
    values_.add(record.value.view());
    create_revisions_.add(record.create_revision.value);
    versions_.add(record.version);
    leases_.add(record.lease.value);
    numbers_.add(record.number);
  }
  // kind int2[], revision int8[], sub int4[], key bytea[], value bytea[], create_revision int8[],
  // version int8[], lease int8[], number int8[].
  void add_to(PgParams* params) {
    params->add_array(std::move(kinds_));
    params->add_array(std::move(revisions_));
    params->add_array(std::move(subs_));
    params->add_array(std::move(keys_));
    params->add_array(std::move(values_));
    params->add_array(std::move(create_revisions_));
    params->add_array(std::move(versions_));
    params->add_array(std::move(leases_));
    params->add_array(std::move(numbers_));
  }

 private:
  PgArray kinds_, revisions_, subs_, keys_, values_, create_revisions_, versions_, leases_,
      numbers_;
};

}  // namespace lattice::backends
