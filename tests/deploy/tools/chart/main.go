// Helm, as a library: a Helm chart checked and rendered.
//
//	chart render CHART [FILE...] [-set KEY=VALUE]   what helm template prints
//	chart lint CHART [FILE...]                      helm lint, with warnings as errors
package main

import (
	"fmt"
	"os"
)

func main() {
	commands := map[string]func([]string) error{"render": render, "lint": lintChart}
	if len(os.Args) < 3 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: chart render|lint CHART ...")
		os.Exit(2)
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}
