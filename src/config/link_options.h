// The part of the registry about what ties a node to others: [cluster] and [fanout].
// Thread: any; constant.
#pragma once

#include "config/option.h"

namespace lattice::config {

inline constexpr Option link_options[] = {
    {.key = "cluster.name",
     .kind = Kind::text,
     .fallback = "default",
     .help = "Name of this member, as etcd's --name."},
    {.key = "cluster.advertise_client_urls",
     .kind = Kind::texts,
     .fallback = "",
     .help = "URLs that clients are told to use. Empty: the bound address."},
    {.key = "cluster.node_id",
     .kind = Kind::text,
     .fallback = "",
     .help = "Name of this node among those that share the database; also its member name there "
             "unless cluster.name is set. Empty: host name and client port."},
    {.key = "cluster.bind",
     .kind = Kind::text,
     .fallback = "",
     .help =
         "Address of the port between nodes, which share a PostgreSQL database. Port 0 picks a "
         "free one. Empty: a free port at the host of listeners.grpc.bind. Calls between nodes "
         "are always authenticated, and encrypted with tls_chain_path. Unused on other backends."},
    {.key = "cluster.advertise",
     .kind = Kind::text,
     .fallback = "",
     .help = "Address at which other nodes reach this one; port 0 stands for the bound one. Empty: "
             "the bound address, with the host name where that is every interface."},
    {.key = "cluster.secret",
     .kind = Kind::text,
     .fallback = "",
     .help = "Secret that the nodes prove to each other that they know. Empty: one that the "
             "database keeps.",
     .secret = true},
    {.key = "cluster.previous_secret",
     .kind = Kind::text,
     .fallback = "",
     .help = "Also accepted, so that the secret can be replaced one node at a time: first every "
             "node gets both, then the old one is taken away.",
     .secret = true},

    {.key = "cluster.tls_chain_path",
     .kind = Kind::text,
     .fallback = "",
     .help =
         "PEM file with this node's certificate chain, for both ends of calls between nodes; "
         "it is for the host of cluster.advertise. With it those calls are encrypted, and every "
         "node needs one.",
     .example = "/etc/lattice/tls/node.crt"},
    {.key = "cluster.tls_key_path",
     .kind = Kind::text,
     .fallback = "",
     .help = "PEM file with its private key.",
     .example = "/etc/lattice/tls/node.key"},
    {.key = "cluster.ca_path",
     .kind = Kind::text,
     .fallback = "",
     .help = "PEM file with the authorities of all nodes' certificates.",
     .example = "/etc/lattice/tls/ca.crt"},

    {.key = "fanout.url",
     .kind = Kind::text,
     .fallback = "",
     .help = "redis:// URL, or rediss:// with TLS, that carries watch events between replicas. "
             "Empty: the database wakes them.",
     .secret = true,
     .example = "redis://127.0.0.1:6379"},
    {.key = "fanout.ca_path",
     .kind = Kind::text,
     .fallback = "",
     .help = "With rediss://: PEM file with the authorities of Redis' certificate. Empty: the "
             "system's.",
     .example = "/etc/lattice/tls/redis-ca.crt"},
    {.key = "fanout.cert_path",
     .kind = Kind::text,
     .fallback = "",
     .help = "With rediss://: PEM file with the certificate to show, where Redis asks for one.",
     .example = "/etc/lattice/tls/client.crt"},
    {.key = "fanout.key_path",
     .kind = Kind::text,
     .fallback = "",
     .help = "PEM file with that certificate's private key.",
     .example = "/etc/lattice/tls/client.key"},
};

}  // namespace lattice::config
