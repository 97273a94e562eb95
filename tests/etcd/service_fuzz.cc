// Any sequence of calls with any bytes: the first byte of each step names a method, the second what
// happens to the call, the third the size of its message. No service may crash, answer twice or
// hang on to a call that is gone.
#include "etcd/service_world.h"
#include "proto/rpc.pb.h"
#include "proto/v3election.pb.h"
#include "proto/v3lock.pb.h"

namespace {

std::vector<std::string> all_paths() {
  std::vector<std::string> paths;
  for (const auto* file : {etcdserverpb::RangeRequest::descriptor()->file(),
                           v3lockpb::LockRequest::descriptor()->file(),
                           v3electionpb::LeaderRequest::descriptor()->file()}) {
    for (int i = 0; i < file->service_count(); ++i) {
      for (int k = 0; k < file->service(i)->method_count(); ++k) {
        const auto* method = file->service(i)->method(k);
        paths.push_back("/" + method->service()->full_name() + "/" + method->name());
      }
    }
  }
  return paths;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<std::string> paths = all_paths();
  lattice::etcd::testing::ServiceWorld world;
  std::vector<std::unique_ptr<lattice::etcd::testing::ServiceWorld::Session>> open;
  while (size >= 3) {
    const size_t length = std::min<size_t>(data[2], size - 3);
    std::string_view message(reinterpret_cast<const char*>(data) + 3, length);
    const uint8_t action = data[1];
    open.push_back(world.open(paths[data[0] % paths.size()]));
    open.back()->send(message);
    if ((action & 1) != 0) open.back()->half_close();
    if ((action & 2) != 0) world.run(std::chrono::milliseconds(10));
    if ((action & 4) != 0) open.back()->deliver();
    if ((action & 8) != 0) open.erase(open.begin() + (action >> 4) % static_cast<int>(open.size()));
    data += 3 + length;
    size -= 3 + length;
  }
  world.run(std::chrono::milliseconds(100));
  return 0;
}
