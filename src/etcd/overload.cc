#include "etcd/overload.h"

#include <chrono>
#include <string>

#include "etcd/retry_info.h"

namespace lattice::etcd {
namespace {

// Beyond this, of reads of single keys every second one is refused, too: refusing all would leave
// nothing, for a refusal is no faster.
constexpr Duration point_target = std::chrono::seconds(1);

}  // namespace

bool sheds(Services& services, const proxy::ServerStream& stream, Sheddable what) {
  const Duration overdue = stream.overdue();
  if (overdue == Duration{}) return false;
  if (what == Sheddable::point && (overdue < point_target || ++services.overdue_points % 2 == 0)) {
    return false;
  }
  if (services.shed != nullptr) {
    services.shed->with({what == Sheddable::watch ? "watch" : "read"}).add();
  }
  return true;
}

proxy::GrpcStatus overload_status(const proxy::ServerStream& stream) {
  using std::chrono::milliseconds;
  const Duration retry_after = stream.overdue();
  proxy::GrpcStatus status{proxy::GrpcCode::resource_exhausted, "etcdserver: too many requests"};
  status.trailers = {{"grpc-retry-pushback-ms",
                      std::to_string(std::chrono::ceil<milliseconds>(retry_after).count())},
                     {details_trailer, overload_details(status, retry_after)}};
  return status;
}

}  // namespace lattice::etcd
