// A member of a control plane as far as a follower can tell, on the loop of the test, which says
// what it answers. Thread: the loop's.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "control/documents.h"
#include "proto/rpc.pb.h"
#include "proxy/listener.h"

namespace lattice::control::testing {

class FakeMember {
 public:
  explicit FakeMember(loop::Loop& loop) : loop_(loop) {
    add<RangeCall>("KV/Range");
    add<PutCall>("KV/Put");
    add<WatchCall>("Watch/Watch");
    add<GrantCall>("Lease/LeaseGrant");
    add<KeepAliveCall>("Lease/LeaseKeepAlive");
    listener_ = std::move(
        *proxy::Listener::listen(loop, "127.0.0.1:0", router_, {}, nullptr, /*reuse_port=*/false));
  }
  ~FakeMember() {
    listener_.reset();
    loop_.turn();  // where the connections' calls are destroyed, which refer to this
  }
  std::string address() const { return listener_->address(); }

  void put(const std::string& path, const std::string& value) {
    const std::string key = std::string(documents_prefix) + path;
    documents[key] = {value, ++revision};
    tell(mvccpb::Event::PUT, key, value);
  }
  void remove(const std::string& path) {
    const std::string key = std::string(documents_prefix) + path;
    documents.erase(key);
    ++revision;
    tell(mvccpb::Event::DELETE, key, {});
  }
  void cancel_watches() {
    etcdserverpb::WatchResponse response;
    response.set_canceled(true);
    response.set_compact_revision(revision);
    for (proxy::ServerStream* watch : watches_) send(*watch, response);
  }

  std::map<std::string, std::pair<std::string, int64_t>> documents;  // with their revisions
  int64_t revision = 1;
  uint64_t cluster_id = 7;
  std::set<int64_t> leases;
  bool silent = false;      // nothing is answered
  bool garbage = false;     // reads are answered with what is no message
  bool mute_watch = false;  // events are not told
  int lists = 0;
  int probes = 0;
  std::set<int64_t> page_revisions;  // that pages behind the first asked for

 private:
  struct Answering : proxy::Call {
    Answering(FakeMember& to, proxy::ServerStream& on) : member(to), stream(on) {}
    template <class Message>
    void reply(Message response) {
      if (member.silent) return;
      response.mutable_header()->set_cluster_id(member.cluster_id);
      response.mutable_header()->set_revision(member.revision);
      stream.reply(ByteChain(Bytes::copy(response.SerializeAsString())));
    }
    template <class Message>
    static Message parse(const Bytes& bytes) {
      Message message;
      message.ParseFromString(std::string(bytes.view()));
      return message;
    }
    FakeMember& member;
    proxy::ServerStream& stream;
  };
  struct RangeCall final : Answering {
    using Answering::Answering;
    void on_message(Bytes bytes) override {
      if (member.garbage) return stream.reply(ByteChain(Bytes::literal("\xff\xff")));
      const auto request = parse<etcdserverpb::RangeRequest>(bytes);
      request.keys_only() ? reply(member.probe()) : reply(member.page(request));
    }
  };
  struct PutCall final : Answering {
    using Answering::Answering;
    void on_message(Bytes bytes) override {
      const auto request = parse<etcdserverpb::PutRequest>(bytes);
      if (member.silent) return;
      member.put(request.key().substr(documents_prefix.size()), request.value());
      reply(etcdserverpb::PutResponse());
    }
  };
  struct GrantCall final : Answering {
    using Answering::Answering;
    void on_message(Bytes) override {
      etcdserverpb::LeaseGrantResponse response;
      response.set_id(static_cast<int64_t>(member.leases.size()) + 1);
      response.set_ttl(10);
      member.leases.insert(response.id());
      reply(response);
    }
  };
  struct KeepAliveCall final : Answering {
    using Answering::Answering;
    void on_message(Bytes) override { reply(etcdserverpb::LeaseKeepAliveResponse()); }  // expired
  };
  struct WatchCall final : Answering {
    using Answering::Answering;
    ~WatchCall() override { member.watches_.erase(&stream); }
    void on_message(Bytes) override {
      etcdserverpb::WatchResponse response;
      response.set_created(true);
      send(stream, response);
      member.watches_.insert(&stream);
    }
    void on_cancel() override { member.watches_.erase(&stream); }
  };

  etcdserverpb::RangeResponse page(const etcdserverpb::RangeRequest& request) {
    request.revision() == 0 ? void(++lists) : void(page_revisions.insert(request.revision()));
    etcdserverpb::RangeResponse response;
    for (auto at = documents.lower_bound(request.key());
         at != documents.end() && at->first < request.range_end(); ++at) {
      if (response.kvs_size() == request.limit()) {
        response.set_more(true);
        break;
      }
      add_kv(&response, *at);
    }
    return response;
  }
  etcdserverpb::RangeResponse probe() {
    ++probes;
    etcdserverpb::RangeResponse response;
    response.set_count(static_cast<int64_t>(documents.size()));
    const auto newest = std::max_element(
        documents.begin(), documents.end(),
        [](const auto& a, const auto& b) { return a.second.second < b.second.second; });
    if (newest != documents.end()) add_kv(&response, *newest);
    return response;
  }
  template <class Item>
  static void add_kv(etcdserverpb::RangeResponse* response, const Item& item) {
    mvccpb::KeyValue& kv = *response->add_kvs();
    kv.set_key(item.first);
    kv.set_value(item.second.first);
    kv.set_mod_revision(item.second.second);
  }
  void tell(mvccpb::Event::EventType type, const std::string& key, const std::string& value) {
    if (mute_watch) return;
    etcdserverpb::WatchResponse response;
    response.mutable_header()->set_cluster_id(cluster_id);
    mvccpb::Event& event = *response.add_events();
    event.set_type(type);
    event.mutable_kv()->set_key(key);
    event.mutable_kv()->set_value(value);
    event.mutable_kv()->set_mod_revision(revision);
    for (proxy::ServerStream* watch : watches_) send(*watch, response);
  }
  static void send(proxy::ServerStream& stream, const etcdserverpb::WatchResponse& response) {
    stream.send(ByteChain(Bytes::copy(response.SerializeAsString())));
  }
  template <class Kind>
  void add(const std::string& method) {
    router_.add_grpc("/etcdserverpb." + method,
                     [this](proxy::ServerStream& stream) -> std::unique_ptr<proxy::Call> {
                       return std::make_unique<Kind>(*this, stream);
                     });
  }

  std::set<proxy::ServerStream*> watches_;
  proxy::Router router_;
  loop::Loop& loop_;
  std::unique_ptr<proxy::Listener> listener_;
};

}  // namespace lattice::control::testing
