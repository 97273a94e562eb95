// The options of section [auth]; option_table.cc puts all sections together.
// Thread: constants.
#pragma once

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

}  // namespace lattice::config
