// The keys of [control_plane] and [audit], the last of the table (option_table.cc).
// Thread: constant.
#pragma once

#include "config/option.h"

namespace lattice::config {

inline constexpr Option last_options[] = {
    {.key = "control_plane.mode",
     .kind = Kind::choice,
     .fallback = "standalone",
     .help = "standalone: this file is the control plane. clustor: a Raft quorum that speaks the "
             "etcd API, with documents under /clustor/v1/.",
     .choices = "standalone|clustor"},
    {.key = "control_plane.endpoints",
     .kind = Kind::texts,
     .fallback = "",
     .help = "Endpoints of the clustor quorum, http:// or https://, with ports.",
     .example = "https://cp1:2379,https://cp2:2379,https://cp3:2379"},
    {.key = "control_plane.cache_ttl_seconds",
     .kind = Kind::integer,
     .fallback = "300",
     .help = "How long what was read of the control plane is good: Fresh for half of it, then "
             "Cached. Behind it linearizable reads are refused until the control plane answers.",
     .min = 1,
     .max = 86'400},
    {.key = "control_plane.cache_grace_ms",
     .kind = Kind::integer,
     .fallback = "30000",
     .help = "How long behind that it is called Stale, before it is called Expired.",
     .min = 0,
     .max = int64_t{86'400'000}},
    {.key = "control_plane.ca_path",
     .kind = Kind::text,
     .fallback = "",
     .help = "With https://: PEM file with the authorities of the quorum's certificates. Empty: "
             "the system's.",
     .example = "/etc/lattice/tls/ca.crt"},
    {.key = "control_plane.cert_path",
     .kind = Kind::text,
     .fallback = "",
     .help = "With https://: PEM file with this node's certificate, where the quorum asks for one.",
     .example = "/etc/lattice/tls/client.crt"},
    {.key = "control_plane.key_path",
     .kind = Kind::text,
     .fallback = "",
     .help = "PEM file with that certificate's private key.",
     .example = "/etc/lattice/tls/client.key"},

    {.key = "audit.output",
     .kind = Kind::text,
     .fallback = "",
     .help =
         "stdout, or the absolute name of a file, that gets one JSON line for each change, log-in "
         "and refusal. Empty: none.",
     .example = "/var/log/lattice/audit.log"},
    {.key = "audit.required",
     .kind = Kind::boolean,
     .fallback = "false",
     .help = "Refuse changes while the audit log cannot be written or lags too far behind, instead "
             "of going on and counting the lines that are lost."},
};

}  // namespace lattice::config
