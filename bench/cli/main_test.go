package cli

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"testing"

	"floodgate/bench/internal/scripttest"
	sutclient "floodgate/bench/sut/client"
)

var update = flag.Bool("update", false, "write golden files anew")

// The test binary is also the command and its children.
func TestMain(m *testing.M) {
	if code, ok := Child(os.Args[1:], announce(os.Args[1:], os.Stdin), os.Stdout, os.Stderr); ok {
		os.Exit(code)
	}
	if addr := os.Getenv(watchedEnv); addr != "" {
		os.Exit(watchedClient(addr))
	}
	scripttest.Main(m, map[string]func(){
		"floodgate":  func() { os.Exit(Main(os.Args[1:], os.Stdout, os.Stderr, nil)) },
		"ownprogram": func() { sutclient.Main(ownProgram(os.Args[1:])) },
		"ownservice": func() { os.Exit(ownService(os.Args[1:])) },
	})
}

// run runs the command line and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return execute(ctx, NewRoot(stdout, stderr, nil), args, stdout, stderr)
}

// watchedEnv makes the test binary a process to watch: a client that opens connections to
// the address in the variable, and ends with its standard input.
const watchedEnv = "FLOODGATE_WATCH_CLIENT"

// watchedConnections is the number of its connections.
const watchedConnections = 5

func watchedClient(addr string) int {
	var conns [watchedConnections]net.Conn
	for i := range conns {
		var err error
		if conns[i], err = net.Dial("tcp", addr); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(conns) // the collector closes a connection that nothing refers to
	return 0
}
