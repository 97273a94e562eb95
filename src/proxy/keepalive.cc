#include "proxy/keepalive.h"

namespace lattice::proxy {

bool PingPolicy::on_ping(Instant now, size_t open_streams) {
  const Instant previous = last_ping_;
  last_ping_ = now;
  if (forgive_next_) {
    forgive_next_ = false;
    strikes_ = 0;
    return true;
  }
  const bool alone = open_streams == 0 && !limits_.keepalive_permit_without_stream;
  const Duration min_time = alone ? min_time_without_stream : limits_.keepalive_min_time;
  if (previous + min_time > now) ++strikes_;
  return strikes_ <= strikes_max;
}

PeerWatch::Action PeerWatch::on_tick(Instant now) {
  if (waiting_since_ != Instant::never()) {
    return now - waiting_since_ >= limits_.keepalive_timeout ? Action::give_up : Action::none;
  }
  if (limits_.keepalive_interval.count() <= 0 || now - last_heard_ < limits_.keepalive_interval) {
    return Action::none;
  }
  waiting_since_ = now;
  return Action::ping;
}

}  // namespace lattice::proxy
