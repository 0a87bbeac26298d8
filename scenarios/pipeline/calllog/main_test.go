package calllog_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"floodgate/mockupstream"
)

// upstreamEnv is the environment variable that makes the test binary the upstream. Its
// value is the profile as JSON.
const upstreamEnv = "CALLLOG_TEST_UPSTREAM"

type served struct {
	Profile mockupstream.Profile
	Seed    uint64
}

func TestMain(m *testing.M) {
	if what := os.Getenv(upstreamEnv); what != "" {
		if err := serve(what); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// serve runs the upstream: it prints its URL and ends with its standard input.
func serve(what string) error {
	var s served
	if err := json.Unmarshal([]byte(what), &s); err != nil {
		return err
	}
	upstream, err := mockupstream.New(s.Profile, s.Seed)
	if err != nil {
		return err
	}
	defer upstream.Close()
	server, err := mockupstream.Serve(context.Background(), mockupstream.ServerOptions{Control: true}, upstream)
	if err != nil {
		return err
	}
	fmt.Println(server.URL())
	_, _ = io.Copy(io.Discard, os.Stdin)
	return server.Close()
}

// startUpstream serves a profile in a separate process until the end of the test.
func startUpstream(t testing.TB, profile mockupstream.Profile, seed uint64) (url string) {
	t.Helper()
	what, err := json.Marshal(served{profile, seed})
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), upstreamEnv+"="+string(what))
	child.Stderr = os.Stderr
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		if err := child.Wait(); err != nil {
			t.Errorf("upstream process: %v", err)
		}
	})
	url, err = bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("url of the upstream: %v", err)
	}
	return strings.TrimSpace(url)
}
