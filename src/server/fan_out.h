// How this process tells the others of what was committed: Redis where it is configured and up, the
// database's own way otherwise.
//
// Thread: the loop that it was opened on. Ownership: outlives the replicas that use its fan-outs.
#pragma once

#include <memory>
#include <string>

#include "base/dependency.h"
#include "base/status.h"
#include "loop/loop.h"
#include "replica/batch.h"
#include "replica/fanout.h"
#include "tls/context.h"

namespace lattice::backends {
class RedisHub;
}

namespace lattice::server {

class FanOut {
 public:
  // `url`: of Redis; empty: none. `tls`: for rediss://. `dependency`: where it reports. Errors:
  // invalid_argument.
  static Result<std::unique_ptr<FanOut>> open(loop::Loop& loop, const std::string& url,
                                              std::shared_ptr<const tls::Source> tls,
                                              SharedDependency dependency);
  ~FanOut();

  // `database`: the database's own, which may be null. Answers null where there is neither.
  std::unique_ptr<replica::Fanout> join(const replica::LogId& log,
                                        std::unique_ptr<replica::Fanout> database);
  // Why Redis does not carry messages now, if so; ok where it is not configured.
  Status health() const;

 private:
  explicit FanOut(std::unique_ptr<backends::RedisHub> redis);
  std::unique_ptr<backends::RedisHub> redis_;
};

}  // namespace lattice::server
