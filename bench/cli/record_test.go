package cli

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"

	"floodgate/mockupstream"
)

// serves serves a mock upstream with a profile until the script ends, and puts its
// URL into $UPSTREAM: serves profile.yaml.
func serves(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: serves PROFILE")
	}
	profile, err := mockupstream.LoadProfile(ts.MkAbs(args[0]))
	ts.Check(err)
	upstream, err := mockupstream.New(profile, 1)
	ts.Check(err)
	server := httptest.NewServer(upstream)
	ts.Defer(func() { server.Close(); upstream.Close() })
	ts.Setenv("UPSTREAM", server.URL)
}

var recorderURL = regexp.MustCompile(`on (\S+); Ctrl-C`)

// records runs a command that records, sends requests to it in several phases of
// concurrency, each with a secret in every place, interrupts it, and writes what it
// printed to the files stdout and stderr: records CODE REQUESTS COMMAND [ARG…].
func records(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: records CODE REQUESTS COMMAND [ARG…]")
	}
	code, err := strconv.Atoi(args[0])
	ts.Check(err)
	requests, err := strconv.Atoi(args[1])
	ts.Check(err)
	path, err := exec.LookPath(args[2]) // testscript has put its commands in PATH
	ts.Check(err)
	cmd := exec.Command(path, args[3:]...)
	cmd.Dir = ts.MkAbs(".")
	said := make(chan struct{})
	stderr := &served{said: said}
	var stdout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, stderr
	ts.Check(cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-said:
	case err := <-ended:
		ts.Fatalf("ended: %v\n%s", err, &stderr.text)
	}
	url := recorderURL.FindStringSubmatch(stderr.text.String())[1]
	for n, clients := 0, 1; n < requests; clients++ {
		var phase sync.WaitGroup
		for range min(clients, requests-n) {
			item := fmt.Sprintf("%s/items/%d", url, n)
			phase.Go(func() { sendSecretly(item) })
			n++
		}
		phase.Wait()
	}
	ts.Check(cmd.Process.Signal(os.Interrupt))
	<-ended
	ts.Check(os.WriteFile(ts.MkAbs("stdout"), stdout.Bytes(), 0o644))
	ts.Check(os.WriteFile(ts.MkAbs("stderr"), stderr.text.Bytes(), 0o644))
	if got := cmd.ProcessState.ExitCode(); got != code {
		ts.Fatalf("exit code %d, want %d\n%s%s", got, code, &stdout, &stderr.text)
	}
}

// sendSecretly sends a request, whatever becomes of it.
func sendSecretly(url string) {
	r, err := http.NewRequest(http.MethodGet, url+"?token=s3cr3t", strings.NewReader("s3cr3t"))
	if err != nil {
		panic(err)
	}
	r.Header.Set("Authorization", "Bearer s3cr3t")
	transport := &http.Transport{DisableKeepAlives: true}
	if response, err := transport.RoundTrip(r); err == nil {
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
	}
}
