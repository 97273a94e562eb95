#include "replica/session_keeper.h"

#include <algorithm>
#include <utility>

#include "base/planted.h"

namespace lattice::replica {
namespace {
// After so many renewals all is announced again: a database that has moved to another server may
// have lost the newest of it. It also bounds what is remembered of replicas that are gone.
constexpr int renewals_per_repetition = 25;
}  // namespace

void SessionKeeper::open() {
  // Also after an open of unknown outcome: its row may appear later, and nobody will renew it.
  incarnation_ = random_.incarnation();
  open_ = false;
  renewals_until_repetition_ = 0;
  const Instant sent = environment_.now();
  sessions_.open(incarnation_, node_, lifetime_.guard([this, sent](const Status& status) {
    if (released_) return;
    if (!status.ok()) {
      trouble_(status);
      return again(sent, &SessionKeeper::open);
    }
    open_ = true;
    extend(sent);
  }));
}

std::vector<Announcement> SessionKeeper::news() {
  if (--renewals_until_repetition_ < 0) {
    told_.clear();
    renewals_until_repetition_ = renewals_per_repetition;
  }
  std::vector<Announcement> news;
  for (const Host* host : hosts_) {
    if (host == nullptr) continue;
    Announcement said = host->announcement();
    if (said.position.seq == Seq(0)) continue;
    const auto told = told_.find(said.log);
    if (told == told_.end() || told->second != said.position) news.push_back(said);
  }
  return news;
}

void SessionKeeper::renew() {
  const Instant sent = environment_.now();
  const std::vector<Announcement> news = this->news();
  sessions_.renew(incarnation_, news,
                  lifetime_.guard([this, sent, telling = news](const Status& status) {
                    if (released_) return;
                    if (status.ok()) {
                      for (const Announcement& each : telling) told_[each.log] = each.position;
                    }
                    on_renewed(sent, status);
                  }));
}

void SessionKeeper::on_renewed(Instant sent, const Status& status) {
  if (status.ok()) return extend(sent);
  trouble_(status);
  if (status.error() == Error::not_leader) {
    open();
    return each_host([](Host& host) { host.on_session_dead(); });
  }
  again(sent, &SessionKeeper::renew);
}

void SessionKeeper::extend(Instant sent) {
  const bool lapsed = !valid();
  if (planted(Planted::session_counted_from_reply)) sent = environment_.now();
  valid_until_ = sent + validity_;
  again(sent, &SessionKeeper::renew);
  if (valid()) each_host([lapsed](Host& host) { host.on_session_extended(lapsed); });
}

// A callback may remove its host, and others, and add some.
template <class Call>
void SessionKeeper::each_host(Call call) {
  for (size_t i = 0; i < hosts_.size(); ++i) {
    if (hosts_[i] != nullptr) call(*hosts_[i]);
  }
  std::erase(hosts_, nullptr);
}

void SessionKeeper::again(Instant sent, void (SessionKeeper::*step)()) {
  // Counted from when the last one was sent, so that a slow database does not stretch the interval.
  const Duration passed = environment_.now() - sent;
  const Duration delay = std::max(Duration{}, renewal_ - passed);
  timer_ = environment_.after(delay, [this, step] { (this->*step)(); });
}

void SessionKeeper::release(StatusCallback done) {
  released_ = true;
  open_ = false;
  timer_.reset();
  sessions_.release(incarnation_, std::move(done));
}

}  // namespace lattice::replica
