// Lets a callback find out that the object it belongs to is gone: needed where the callee outlives
// the replica (an event loop's deferred tasks, the process's session store). Thread: one.
#pragma once

#include <memory>
#include <utility>

namespace lattice::replica {

class Lifetime {
 public:
  // A function that does what `function` does until this object is destroyed, and nothing
  // afterwards.
  template <class Function>
  auto guard(Function function) const {
    return [alive = std::weak_ptr<const char>(token_),
            function = std::move(function)](auto&&... arguments) mutable {
      if (!alive.expired()) function(std::forward<decltype(arguments)>(arguments)...);
    };
  }
  // For loops over something that their own callbacks may destroy.
  std::weak_ptr<const char> watch() const { return token_; }

 private:
  std::shared_ptr<const char> token_ = std::make_shared<const char>('\0');
};

}  // namespace lattice::replica
