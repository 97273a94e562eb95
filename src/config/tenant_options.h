// The keys of [tenants], part of the registry (option_table.cc).
// Thread: any; constant.
#pragma once

#include "config/option.h"

namespace lattice::config {

inline constexpr int64_t tenant_count_max = 4'294'967'295;
inline constexpr int64_t tenant_bytes_max = int64_t{1} << 50;
inline constexpr int64_t lease_ttl_ms_max = int64_t{9'000'000'000} * 1000;

inline constexpr Option tenant_options[] = {
    {.key = "tenants.default_tenant",
     .kind = Kind::text,
     .fallback = "default",
     .help = "Tenant of connections that name none."},
    {.key = "tenants.watch_idle_timeout_ms",
     .kind = Kind::integer,
     .fallback = "0",
     .help = "End watch streams that saw neither events, progress nor client messages for so long. "
             "0: never.",
     .min = 0,
     .max = int64_t{30} * 86'400'000,
     .lacking = "an end of idle watch streams",
     .example = "300000"},
    {.key = "tenants.default_qps_limit",
     .kind = Kind::integer,
     .fallback = "0",
     .help = "Requests per second of one tenant. 0: no limit.",
     .min = 0,
     .max = tenant_count_max,
     .lacking = "per-tenant rate limits",
     .example = "1000"},
    {.key = "tenants.default_bytes_limit",
     .kind = Kind::integer,
     .fallback = "0",
     .help = "Bytes per second of one tenant, both directions. 0: no limit.",
     .min = 0,
     .max = tenant_bytes_max,
     .lacking = "per-tenant rate limits",
     .example = "104857600"},
    {.key = "tenants.default_quota_bytes",
     .kind = Kind::integer,
     .fallback = "2147483648",
     .help = "Most bytes that one tenant may keep, superseded versions that are not compacted "
             "included, as etcd's --quota-backend-bytes: beyond it a NOSPACE alarm refuses writes. "
             "0: etcd's default, 2 GiB. -1: no quota.",
     .min = -1,
     .max = tenant_bytes_max,
     .reloadable = true},
    {.key = "tenants.default_max_keys",
     .kind = Kind::integer,
     .fallback = "0",
     .help = "Most keys of one tenant. 0: no limit.",
     .min = 0,
     .max = tenant_count_max,
     .reloadable = true,
     .example = "1000000"},
    {.key = "tenants.default_max_key_bytes",
     .kind = Kind::integer,
     .fallback = "0",
     .help = "Longest key that may be written. 0: no limit but that of the request.",
     .min = 0,
     .max = 1 << 30,
     .reloadable = true,
     .example = "4096"},
    {.key = "tenants.default_max_value_bytes",
     .kind = Kind::integer,
     .fallback = "0",
     .help = "Largest value that may be written. 0: no limit but that of the request.",
     .min = 0,
     .max = 1 << 30,
     .reloadable = true,
     .example = "1048576"},
    {.key = "tenants.default_max_leases",
     .kind = Kind::integer,
     .fallback = "0",
     .help = "Most leases of one tenant at a time. 0: no limit.",
     .min = 0,
     .max = tenant_count_max,
     .reloadable = true,
     .example = "100000"},
    {.key = "tenants.lease_ttl_default_ms",
     .kind = Kind::integer,
     .fallback = "0",
     .help = "Lease TTL of clients that ask for 0. 0: etcd's rule, two seconds.",
     .min = 0,
     .max = lease_ttl_ms_max,
     .reloadable = true,
     .example = "60000"},
    {.key = "tenants.lease_ttl_max_ms",
     .kind = Kind::integer,
     .fallback = "0",
     .help = "Longest lease TTL; longer ones are shortened. 0: etcd's rule, longer ones than 9 "
             "billion seconds are refused.",
     .min = 0,
     .max = lease_ttl_ms_max,
     .reloadable = true,
     .example = "86400000"},
};

}  // namespace lattice::config
