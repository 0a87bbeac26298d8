// Command floodgate measures what a concurrency limit does to a pipeline that
// fetches from an HTTP upstream and writes to MongoDB.
//
//	go run ./bench run
//
// runs the built-in scenario "report" on an embedded upstream and database,
// prints a table and the judged claims, and stores the run under results/runs.
package main

import (
	"os"

	"floodgate/bench/cli"
)

func main() {
	if code, ok := cli.Child(os.Args[1:], os.Stdin, os.Stdout, os.Stderr); ok {
		os.Exit(code)
	}
	os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr, nil))
}
