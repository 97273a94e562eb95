// Brings the leadership of tenants to where their routing documents want it. A tenant that this
// process leads is handed over when another node should lead it, or when this one does not serve it
// any more: first the successor is asked for the tenant's state, which loads it there, so that
// writes wait for the change of leaders alone and not for a node that cannot take over. It is asked
// at the address of its record; its replica is met at the one that the tenant's database has.
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
  void hand_over(const std::string& tenant, const std::string& successor,
                 const Result<std::vector<replica::Member>>& members);
  // Null: it does not lead the tenant any more, or another node should take over.
  RunningTenant* still_leads(const std::string& tenant, const std::string& successor);
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
