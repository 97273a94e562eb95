// Brings the leadership of tenants to where their routing documents want it. A tenant that this
// process leads is handed over when another node should lead it, or when this one does not serve it
// any more: first the successor is asked for the tenant's state, which loads it there, so that
// writes wait for the change of leaders alone and not for a node that cannot take over. Replicas
// that follow know who should lead, and let that node be first when their leader ends.
//
// Thread: the owner's loop. Ownership: what it is given outlives it.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "server/databases.h"
#include "server/routes.h"
#include "telemetry/logger.h"

namespace lattice::server {

class LeaderKeeper {
 public:
  // `owner`: the tenants' worker.
  LeaderKeeper(Worker& owner, Databases& tenants, telemetry::Logger& log);
  ~LeaderKeeper();

  void use(std::shared_ptr<const Routes> routes);

 private:
  class Question;
  struct Attempt {
    Instant not_before;  // another one
    Duration backoff{};
    std::unique_ptr<Question> question;
  };

  void look();
  void consider(RunningTenant& tenant, const Route& route);
  void ask(const std::string& tenant, const std::string& successor);
  void on_answer(const std::string& tenant, const std::string& successor, bool serves);
  void hand_over(const std::string& tenant, const std::string& successor);
  // Null: this process does not lead it any more, or another one should.
  RunningTenant* still_led(const std::string& tenant, const std::string& successor);
  void on_handed_over(const std::string& tenant, const std::string& successor,
                      const Status& status);
  void try_later(const std::string& tenant);
  Instant now() { return owner_.loop().now(); }

  Worker& owner_;
  Databases& tenants_;
  telemetry::Logger& log_;
  std::shared_ptr<const Routes> routes_ = std::make_shared<Routes>();
  std::map<std::string, Attempt> attempts_;  // by tenant
  std::unique_ptr<loop::TimerHandle> timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace lattice::server
