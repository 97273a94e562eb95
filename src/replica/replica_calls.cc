// Calls that need the leader: on their way to it, and at it.
#include <utility>
#include <variant>

#include "replica/replica.h"

namespace lattice::replica {
namespace {

template <class Answer>
Callback<Answer> into(Callback<PeerAnswer> done) {
  return [done = std::move(done)](Result<Answer> result) mutable {
    if (!result.ok()) return done(result.status());
    done(PeerAnswer(std::move(*result)));
  };
}

PeerCall to_call(PutOperation& op) { return std::move(op.request); }
PeerCall to_call(DeleteOperation& op) { return std::move(op.request); }
PeerCall to_call(TxnOperation& op) { return std::move(op.request); }
PeerCall to_call(CompactOperation& op) { return CompactCall{op.request.revision}; }
PeerCall to_call(GrantOperation& op) {
  return LeaseGrantCall{op.request.id, op.request.ttl_seconds};
}
PeerCall to_call(RevokeOperation& op) { return LeaseRevokeCall{op.request.id}; }
PeerCall to_call(AlarmOperation& op) { return AlarmCall{op.request}; }
PeerCall to_call(AuthOperation& op) { return std::move(op.request); }

}  // namespace

// Runs each kind of call that a follower has sent.
struct Replica::PeerRun {
  Replica& replica;
  Sender sender;
  Callback<PeerAnswer> done;

  void operator()(const PositionCall&) {
    replica.reads_.run(ReadQueue::Needs::leading,
                       [done = std::move(done)](const Status& status) mutable {
                         if (!status.ok()) return done(status);
                         done(PeerAnswer());
                       });
  }
  void operator()(keyspace::PutRequest& request) {
    if (Status status = validate(request); !status.ok()) return done(status);
    replica.writes_.add(
        PutOperation{std::move(request), into<keyspace::PutResult>(std::move(done)), {}},
        std::move(sender));
  }
  void operator()(keyspace::DeleteRangeRequest& request) {
    if (Status status = validate(request); !status.ok()) return done(status);
    replica.writes_.add(
        DeleteOperation{std::move(request), into<keyspace::DeleteRangeResult>(std::move(done)), {}},
        std::move(sender));
  }
  void operator()(keyspace::TxnRequest& request) {
    if (Status status = validate(request, replica.options_.txn_ops_max); !status.ok()) {
      return done(status);
    }
    replica.writes_.add(
        TxnOperation{std::move(request), into<keyspace::TxnResult>(std::move(done)), {}},
        std::move(sender));
  }
  void operator()(const CompactCall& asked) {
    replica.compactor_.compact(asked.revision, std::move(sender), into<Revision>(std::move(done)));
  }
  void operator()(const LeaseGrantCall& asked) {
    replica.lease_keeper_.grant(asked.id, asked.ttl_seconds, std::move(sender),
                                into<LeaseGrantResult>(std::move(done)));
  }
  void operator()(const LeaseRevokeCall& asked) {
    replica.lease_keeper_.revoke(asked.id, std::move(sender), into<Revision>(std::move(done)));
  }
  void operator()(const LeaseKeepAliveCall& asked) {
    replica.lease_keeper_.keep_alive(asked.id, std::move(sender.caller),
                                     into<LeaseKeepAliveResult>(std::move(done)));
  }
  void operator()(const LeaseTimeToLiveCall& asked) {
    replica.lease_keeper_.time_to_live(asked.id, asked.keys, std::move(sender.caller),
                                       into<LeaseTimeToLiveResult>(std::move(done)));
  }
  void operator()(const LeaseLeasesCall&) {
    replica.lease_keeper_.leases(std::move(sender.caller),
                                 into<LeaseLeasesResult>(std::move(done)));
  }
  void operator()(auth::Change& change) {
    replica.writes_.add(AuthOperation{std::move(change), into<Revision>(std::move(done)), {}},
                        std::move(sender));
  }
  void operator()(const AlarmCall& asked) {
    replica.writes_.add(AlarmOperation{asked.change, into<AlarmResult>(std::move(done)), {}},
                        std::move(sender));
  }
  void operator()(const TakeOverCall&) { done(Status(Error::internal)); }
  void operator()(const WitnessCall& witness) {
    replica.leadership_.on_witness(witness);
    done(PeerAnswer());
  }
};

void Replica::run_here(PeerCall call, Sender sender, Callback<PeerAnswer> done) {
  std::visit(PeerRun{*this, std::move(sender), std::move(done)}, call);
}

void Replica::serve(PeerRequest request, absl::AnyInvocable<void(PeerReply)> done) {
  auto reply = [this, done = std::move(done)](Result<PeerAnswer> answer) mutable {
    // It has had no effect, and its node finds out by itself what comes next.
    if (answer.error() == Error::unsent) answer = Error::not_leader;
    done({state_.epoch, state_.leader, state_.applied, std::move(answer)});
  };
  if (failed_ || stopping_) return reply(Error::not_leader);
  if (const auto* asked = std::get_if<TakeOverCall>(&request.call)) {
    leadership_.accept(asked->tip);
    return reply(PeerAnswer());
  }
  if (!leads()) return reply(Error::not_leader);
  run_here(std::move(request.call), {Origin::peer, std::move(request.caller)}, std::move(reply));
}

void Replica::tell_leader(const WitnessCall& witness) {
  const std::string address = leader_address();
  if (links_.peers == nullptr || address.empty()) return;
  links_.peers->call(address, {witness, options_.request_timeout}, [](const Result<PeerReply>&) {});
}

void Replica::reroute() {
  for (Proposal& proposal : writes_.take_waiting()) {
    switch (proposal.origin) {
      case Origin::client:
        forward(std::move(proposal));
        break;
      case Origin::peer:
        proposal.refuse(Error::not_leader);
        break;
      case Origin::internal:
        proposal.refuse(Error::leader_changed);
        break;
    }
  }
}

void Replica::forward(Proposal proposal) {
  std::visit(
      [&](auto& op) {
        using Op = std::remove_reference_t<decltype(op)>;
        if constexpr (requires { to_call(op); }) {
          if (!op.done) return;
          forwarder_->add(ForwardedCall{proposal.since, to_call(op),
                                        out_of<typename Op::Answer>(std::move(op.done)),
                                        std::move(proposal.caller)});
        } else {
          op.done(Status(Error::leader_changed));
        }
      },
      proposal.operation);
}

}  // namespace lattice::replica
