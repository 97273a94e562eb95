// Maintenance: Status, Alarm, Defragment, MoveLeader. (Hash and HashKV: hash.cc.)
#include <algorithm>

#include "etcd/error_table.h"
#include "etcd/methods.h"
#include "etcd/unary.h"
#include "proto/rpc.pb.h"

namespace lattice::etcd {
namespace {

std::string alarm_line(const replica::Alarm& alarm) {
  return "memberID:" + std::to_string(alarm.member_id) +
         " alarm:" + etcdserverpb::AlarmType_Name(static_cast<etcdserverpb::AlarmType>(alarm.type));
}

class StatusCall final : public UnaryCall {
 public:
  using UnaryCall::UnaryCall;

 private:
  void handle(Tenant&, std::string_view message) override {
    etcdserverpb::StatusRequest request;
    if (!decode_into(message, &request)) return;
    require<StatusCall>(auth::Query::Kind::caller, [](StatusCall& call) { call.ask(); });
  }

  void ask() {
    tenant().api.status(answer<StatusCall, replica::StatusResult>(
        [](auto& call, auto& result) { call.respond(result); }));
  }

  void respond(const replica::StatusResult& result) {
    etcdserverpb::StatusResponse response;
    fill_header(tenant(), result.header_revision, response.mutable_header());
    response.set_version(std::string(etcd_version));
    response.set_dbsize(result.allocated_bytes);
    response.set_dbsizeinuse(result.in_use_bytes);
    response.set_dbsizequota(tenant().gate.limits().quota_bytes);
    response.set_storageversion(std::string(etcd_storage_version));
    if (result.leader) {
      response.set_leader(tenant().identity.member_id());
    } else if (result.has_leader && result.leader_node != replica::NodeInfo()) {
      response.set_leader(
          tenant().identity.member_id_of(result.leader_node.name, result.leader_node.client_urls));
    }
    response.set_raftterm(result.epoch + 1);
    response.set_raftindex(result.seq);
    response.set_raftappliedindex(result.seq);
    response.mutable_downgradeinfo()->set_enabled(false);
    if (!result.has_leader) response.add_errors(error_text(Error::no_leader));
    for (const replica::Alarm& alarm : result.alarms) response.add_errors(alarm_line(alarm));
    reply_message(response);
  }
};

class AlarmCall final : public UnaryCall {
 public:
  using UnaryCall::UnaryCall;

 private:
  void handle(Tenant&, std::string_view message) override {
    etcdserverpb::AlarmRequest request;
    if (!decode_into(message, &request)) return;
    switch (request.action()) {
      case etcdserverpb::AlarmRequest::GET:
        wanted_ = request.alarm();
        return require<AlarmCall>(auth::Query::Kind::caller, [](AlarmCall& call) { call.ask(); });
      case etcdserverpb::AlarmRequest::ACTIVATE:
      case etcdserverpb::AlarmRequest::DEACTIVATE:
        change_ = {request.action() == etcdserverpb::AlarmRequest::ACTIVATE,
                   {request.memberid(), request.alarm()}};
        return require<AlarmCall>(auth::Query::Kind::root, [](AlarmCall& call) { call.change(); });
      default:  // it ends a real etcd
        return reject({Error::invalid_argument, "unknown action of an alarm request"});
    }
  }

  void ask() {
    tenant().api.status(answer<AlarmCall, replica::StatusResult>(
        [](auto& call, auto& result) { call.list(result); }));
  }

  void change() {
    // An alarm of no type would alarm of nothing.
    if (change_.alarm.type == etcdserverpb::NONE) {
      return respond(tenant().api.applied_revision(), {});
    }
    changes().alarm(change_, answer<AlarmCall, replica::AlarmResult>([](auto& call, auto& result) {
                      call.respond(result.header_revision, result.alarms);
                    }));
  }

  void list(replica::StatusResult& result) {
    if (wanted_ != etcdserverpb::NONE) {
      std::erase_if(result.alarms, [this](const auto& alarm) { return alarm.type != wanted_; });
    }
    respond(result.header_revision, result.alarms);
  }

  void respond(Revision revision, const std::vector<replica::Alarm>& alarms) {
    etcdserverpb::AlarmResponse response;
    fill_header(tenant(), revision, response.mutable_header());
    for (const replica::Alarm& alarm : alarms) {
      etcdserverpb::AlarmMember* member = response.add_alarms();
      member->set_memberid(alarm.member_id);
      member->set_alarm(static_cast<etcdserverpb::AlarmType>(alarm.type));
    }
    reply_message(response);
  }

  int wanted_ = etcdserverpb::NONE;
  replica::AlarmChange change_;
};

class DefragmentCall final : public UnaryCall {
 public:
  using UnaryCall::UnaryCall;

 private:
  void handle(Tenant&, std::string_view message) override {
    etcdserverpb::DefragmentRequest request;
    if (!decode_into(message, &request)) return;
    require<DefragmentCall>(auth::Query::Kind::root, [](DefragmentCall& call) { call.run(); });
  }

  void run() {
    // The response has no header (etcd-v3.md 4.1), nothing at all in fact.
    changes().defragment(
        answer<DefragmentCall, bool>([](auto& call, bool) { call.reply(ByteChain()); }));
  }
};

class MoveLeaderCall final : public UnaryCall {
 public:
  using UnaryCall::UnaryCall;

 private:
  void handle(Tenant&, std::string_view message) override {
    etcdserverpb::MoveLeaderRequest request;
    if (!decode_into(message, &request)) return;
    target_ = request.targetid();
    require<MoveLeaderCall>(auth::Query::Kind::root, [](MoveLeaderCall& call) { call.ask(); });
  }

  void ask() {
    tenant().api.members(answer<MoveLeaderCall, std::vector<replica::Member>>(
        [](auto& call, auto& members) { call.move(members); }));
  }

  void move(const std::vector<replica::Member>& members) {
    const auto self = std::ranges::find_if(members, &replica::Member::self);
    if (self == members.end() || !self->leads) return reject(Error::not_leader);
    const auto target = std::ranges::find_if(members, [&](const replica::Member& member) {
      return member_id_of(tenant().identity, member) == target_;
    });
    if (target == members.end()) return reject(Error::bad_leader_transferee);
    // The response has no header (etcd-v3.md 4.1), nothing at all in fact.
    if (target->self) return reply(ByteChain());
    if (target->node.address.empty()) return reject(Error::bad_leader_transferee);
    changes().move_leader(
        *target, answer<MoveLeaderCall, bool>([](auto& call, bool) { call.reply(ByteChain()); }));
  }

  uint64_t target_ = 0;
};

}  // namespace

void register_maintenance(Services& services, proxy::Router& router) {
  router.add_grpc("/etcdserverpb.Maintenance/Status", factory_of<StatusCall>(services));
  router.add_grpc("/etcdserverpb.Maintenance/Alarm", factory_of<AlarmCall>(services));
  router.add_grpc("/etcdserverpb.Maintenance/Defragment", factory_of<DefragmentCall>(services));
  router.add_grpc("/etcdserverpb.Maintenance/MoveLeader", factory_of<MoveLeaderCall>(services));
  for (std::string_view path :
       {"/etcdserverpb.Maintenance/Snapshot", "/etcdserverpb.Maintenance/Downgrade"}) {
    register_unimplemented(router, path);
  }
}

}  // namespace lattice::etcd
