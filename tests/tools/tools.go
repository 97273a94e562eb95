//go:build tools

// Package tools pins the etcd server and etcdctl that the black-box tests compare Lattice with.
package tools

import (
	_ "go.etcd.io/etcd/etcdctl/v3"
	_ "go.etcd.io/etcd/server/v3"
)
