#include "crowd_stream.h"

#include "load/clock.h"
#include "load/etcd_messages.h"
#include "proto/rpc.pb.h"
#include "writer.h"

namespace lattice::crowd {
namespace {

void append_create(std::string& body, const WatchSpec& spec) {
  etcdserverpb::WatchRequest request;
  auto* create = request.mutable_create_request();
  const bool whole = spec.keys > 1;
  create->set_key(whole ? std::string(1, spec.group) + "/" : key_name(spec.group, spec.key));
  if (whole) create->set_range_end(std::string(1, spec.group) + "0");
  create->set_start_revision(spec.start_revision);
  const load::GrpcFrame frame(body);
  request.AppendToString(&body);
}

}  // namespace

void Tally::fail(std::string_view why) { ++failures[std::string(why)]; }

void CrowdStream::start(load::Connection& connection, const std::vector<WatchSpec>& specs) {
  std::string body;
  for (const WatchSpec& spec : specs) {
    append_create(body, spec);
    Watch watch{.spec = spec, .missing = spec.keys * spec.writes, .next = {}};
    watch.next.assign(spec.keys, static_cast<uint32_t>(spec.first));
    watches_.push_back(std::move(watch));
  }
  connection.start(*this, load::watch_path, std::move(body), true);
}

void CrowdStream::on_message(std::string_view message) {
  etcdserverpb::WatchResponse response;
  if (!response.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    return tally_.fail("a response does not decode");
  }
  const auto index = static_cast<uint64_t>(response.watch_id());
  if (index >= watches_.size()) return tally_.fail("a response for no watch");
  on_response(watches_[index], response);
}

void CrowdStream::on_response(Watch& watch, const etcdserverpb::WatchResponse& response) {
  if (watch.compacted) return tally_.fail("something after the cancellation");
  if (response.created()) {
    if (std::exchange(watch.created, true)) tally_.fail("created twice");
    ++tally_.created;
  }
  if (!watch.created) tally_.fail("something before the creation");
  if (response.canceled()) {
    if (response.compact_revision() == 0) return tally_.fail("cancelled without a revision");
    if (watch.missing == 0) tally_.fail("cancelled although it had everything");
    watch.compacted = true;
    ++tally_.compacted;
  }
  const uint64_t before = watch.missing;
  for (const auto& event : response.events()) {
    if (event.kv().mod_revision() < watch.revision) tally_.fail("revisions go back");
    watch.revision = event.kv().mod_revision();
    on_event(watch, event.kv().key(), event.kv().value());
  }
  if (before > 0 && watch.missing == 0) ++tally_.complete;
}

void CrowdStream::on_event(Watch& watch, std::string_view key, std::string_view value) {
  char group = 0;
  uint64_t number = 0;
  Stamp stamp;
  if (!read_key(key, group, number) || !read_stamp(value, stamp)) {
    return tally_.fail("an event does not decode");
  }
  const uint64_t place = watch.spec.keys > 1 ? number : number - watch.spec.key;
  if (group != watch.spec.group || place >= watch.next.size()) {
    return tally_.fail("an event that was not asked for");
  }
  if (stamp.number != watch.next[place]) {
    return tally_.fail(stamp.number < watch.next[place] ? "an event twice" : "a missed event");
  }
  ++watch.next[place];
  ++tally_.events;
  if (watch.missing == 0) return tally_.fail("an event too many");
  --watch.missing;
  tally_.delay.record(load::now_ns() - stamp.sent_ns);
}

void CrowdStream::on_end(int grpc_status, std::string_view grpc_message) {
  tally_.fail("a stream ended with " + std::to_string(grpc_status) + ": " +
              std::string(grpc_message));
}

}  // namespace lattice::crowd
