#include "loop/name_resolver.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>

namespace lattice::loop {
namespace {

TEST_CASE("names become addresses, on the loop, one list for each") {
  Loop loop;
  NameResolver resolver(loop);
  std::optional<Result<NameResolver::Addresses>> found;
  resolver.resolve({"localhost", "does-not-exist.invalid", "127.0.0.1"},
                   [&](Result<NameResolver::Addresses> result) {
                     CHECK(loop.in_loop_thread());
                     found = std::move(result);
                     loop.stop();
                   });
  CHECK_FALSE(found);
  loop.run();
  REQUIRE(found->ok());
  REQUIRE((*found)->size() == 3);
  const auto& local = (*found)->at(0);
  CHECK(std::ranges::any_of(local, [](const std::string& address) {
    return address == "127.0.0.1" || address == "::1";
  }));
  CHECK((*found)->at(1).empty());
  CHECK((*found)->at(2) == std::vector<std::string>{"127.0.0.1"});
}

TEST_CASE("a name that does not resolve is told, with the reason") {
  Loop loop;
  NameResolver resolver(loop);
  Status status;
  resolver.resolve({"does-not-exist.invalid"}, [&](const Result<NameResolver::Addresses>& result) {
    status = result.status();
    loop.stop();
  });
  loop.run();
  CHECK(status.error() == Error::backend_unavailable);
  CHECK(status.detail().find("does-not-exist.invalid: ") == 0);
}

TEST_CASE("nobody is called once the resolver is gone") {
  Loop loop;
  bool called = false;
  {
    NameResolver resolver(loop);
    for (int i = 0; i < 10; ++i) resolver.resolve({"127.0.0.1"}, [&](auto&&) { called = true; });
  }
  for (int i = 0; i < 10; ++i) loop.turn();
  CHECK_FALSE(called);
}

}  // namespace
}  // namespace lattice::loop
