// The options of section [auth]; option_table.cc puts all sections together.
// Thread: constants.
#pragma once

#include <algorithm>
#include <array>
#include <iterator>

#include "config/option.h"

namespace lattice::config {

inline constexpr Option auth_options[] = {
    {.key = "auth.token",
     .kind = Kind::text,
     .fallback = "simple",
     .help = "Tokens that Authenticate gives out, as etcd's --auth-token: simple, or "
             "jwt,sign-method=...,pub-key=FILE,priv-key=FILE,ttl=5m."},
    {.key = "auth.token_ttl_seconds",
     .kind = Kind::integer,
     .fallback = "300",
     .help = "How long a simple token is good after its last use, as etcd's --auth-token-ttl.",
     .min = 1,
     .max = 30 * 86'400},
    {.key = "auth.bcrypt_cost",
     .kind = Kind::integer,
     .fallback = "10",
     .help = "How dear it is to hash a password, as etcd's --bcrypt-cost: one more takes twice the "
             "time.",
     .min = 4,
     .max = 31},
};

// The other sections and this one.
template <size_t N>
constexpr auto with_auth_options(const Option (&others)[N]) {
  std::array<Option, N + std::size(auth_options)> all{};
  auto* end = std::copy(std::begin(others), std::end(others), all.begin());
  std::copy(std::begin(auth_options), std::end(auth_options), end);
  return all;
}

}  // namespace lattice::config
