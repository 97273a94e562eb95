#include "etcd/overload.h"

#include <algorithm>
#include <string>

#include "etcd/retry_info.h"

namespace lattice::etcd {
namespace {

// Beyond this, of reads of single keys one in so many is refused, too. A refusal is no faster than
// an answer, so it only tells clients to come later; refusing half left half of the answers.
constexpr Duration point_target = std::chrono::seconds(1);
constexpr uint64_t points_per_refusal = 8;
// For how long who leaves answers unread is asked to wait; when they will have been read, nobody
// knows.
constexpr Duration unread_wait = std::chrono::seconds(1);

Duration waited(Services& services, const proxy::ServerStream& stream, Sheddable what,
                TurnLag& lag) {
  if (what != Sheddable::watch && stream.answers_pile_up()) return unread_wait;
  const Duration in_socket = stream.overdue();
  if (what == Sheddable::point) {
    const bool spared =
        in_socket < point_target || ++services.overdue_points % points_per_refusal != 0;
    return spared ? Duration{} : in_socket;
  }
  if (services.shares == nullptr) return in_socket;
  return std::max(in_socket, lag.overdue(services.environment.now(), services.shares->now()));
}

Duration counted(Services& services, Sheddable what, Duration time) {
  if (time > Duration{} && services.shed != nullptr) {
    services.shed->with({what == Sheddable::watch ? "watch" : "read"}).add();
  }
  return time;
}

}  // namespace

Duration shed(Services& services, const proxy::ServerStream& stream, Sheddable what, TurnLag& lag) {
  return counted(services, what, waited(services, stream, what, lag));
}

Duration shed_late_in(const ListBurst& burst, Services& services) {
  return counted(services, Sheddable::list, burst.full() ? TurnLag::target : Duration{});
}

Duration shed_answer(Services& services, const proxy::ServerStream& stream) {
  return counted(services, Sheddable::list, stream.answers_pile_up() ? unread_wait : Duration{});
}

proxy::GrpcStatus overload_status(Duration waited) {
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(waited).count();
  proxy::GrpcStatus status{proxy::GrpcCode::resource_exhausted, "etcdserver: too many requests"};
  status.trailers = {{"grpc-retry-pushback-ms", std::to_string(milliseconds)},
                     {details_trailer, overload_details(status, waited)}};
  return status;
}

}  // namespace lattice::etcd
