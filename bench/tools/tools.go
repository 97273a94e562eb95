//go:build tools

// Package tools pins the kine that the benchmarks compare with.
package tools

import _ "github.com/k3s-io/kine"
