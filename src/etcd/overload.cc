#include "etcd/overload.h"

#include <algorithm>
#include <string>

#include "etcd/retry_info.h"

namespace lattice::etcd {
namespace {

// Beyond this, of reads of single keys every second one is refused, too: refusing all would leave
// nothing, for a refusal is no faster.
constexpr Duration point_target = std::chrono::seconds(1);

Duration waited(Services& services, const proxy::ServerStream& stream, Sheddable what,
                TurnLag& lag) {
  const Duration in_socket = stream.overdue();
  if (what == Sheddable::point) {
    const bool spared = in_socket < point_target || ++services.overdue_points % 2 == 0;
    return spared ? Duration{} : in_socket;
  }
  if (services.shares == nullptr) return in_socket;
  return std::max(in_socket, lag.overdue(services.environment.now(), services.shares->now()));
}

}  // namespace

Duration shed(Services& services, const proxy::ServerStream& stream, Sheddable what, TurnLag& lag) {
  const Duration time = waited(services, stream, what, lag);
  if (time > Duration{} && services.shed != nullptr) {
    services.shed->with({what == Sheddable::watch ? "watch" : "read"}).add();
  }
  return time;
}

proxy::GrpcStatus overload_status(Duration waited) {
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(waited).count();
  proxy::GrpcStatus status{proxy::GrpcCode::resource_exhausted, "etcdserver: too many requests"};
  status.trailers = {{"grpc-retry-pushback-ms", std::to_string(milliseconds)},
                     {details_trailer, overload_details(status, waited)}};
  return status;
}

}  // namespace lattice::etcd
