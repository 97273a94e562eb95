#include "load/workloads.h"

#include "load/etcd_messages.h"

namespace lattice::load {

MixedWorkload::MixedWorkload(const Options& options, const KeySpace& keys, RevisionLedger& ledger)
    : puts_(options, keys, ledger),
      gets_(options, keys),
      random_(options.seed + 1),
      read_percent_(options.read_percent) {}

bool MixedWorkload::next(Request& request) {
  const bool read = percent_(random_) < read_percent_;
  return read ? gets_.next(request) : puts_.next(request);
}

std::string_view MixedWorkload::check(const Request& request, std::string_view answer) {
  const bool read = request.path == range_path;
  return read ? gets_.check(request, answer) : puts_.check(request, answer);
}

std::unique_ptr<Workload> make_workload(const Options& options, const KeySpace& keys,
                                        RevisionLedger& ledger) {
  switch (options.mode) {
    case Mode::get:
      return std::make_unique<GetWorkload>(options, keys);
    case Mode::list:
      return std::make_unique<ListWorkload>(options, keys);
    case Mode::mixed:
      return std::make_unique<MixedWorkload>(options, keys, ledger);
    case Mode::update:
      return std::make_unique<UpdateWorkload>(options, keys, ledger);
    case Mode::fill:
      return std::make_unique<FillWorkload>(options, keys, ledger);
    default:
      return std::make_unique<PutWorkload>(options, keys, ledger);
  }
}

}  // namespace lattice::load
