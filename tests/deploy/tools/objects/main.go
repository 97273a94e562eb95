// What the deployment tests need to know about Compose files and Kubernetes objects, from the libraries of those who define them.
//
//	objects compose FILE...   the project that these files make together, as JSON
//	objects decode            standard input, YAML: strictly, as the types of k8s.io/api; prints the objects as JSON
package main

import (
	"fmt"
	"os"
)

func main() {
	commands := map[string]func([]string) error{"compose": compose, "decode": decode}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: objects compose|decode ...")
		os.Exit(2)
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}
