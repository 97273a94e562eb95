// A move-only function that is called once with an outcome, on the loop of whoever asked.
#pragma once

#include "absl/functional/any_invocable.h"
#include "base/status.h"

namespace lattice {

template <class T>
using Callback = absl::AnyInvocable<void(Result<T>)>;
using StatusCallback = absl::AnyInvocable<void(Status)>;

}  // namespace lattice
