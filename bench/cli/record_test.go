package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"floodgate/mockupstream"
	"floodgate/mockupstream/learn"
)

// serves starts a mock upstream with a profile until the script ends, and sets $UPSTREAM
// to its URL: serves profile.yaml.
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

// records runs a recording command, sends it requests in phases of different concurrency,
// with a secret in every part, interrupts it, and writes its output to the files stdout
// and stderr: records CODE REQUESTS COMMAND [ARG…].
func records(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: records CODE REQUESTS COMMAND [ARG…]")
	}
	code, err := strconv.Atoi(args[0])
	ts.Check(err)
	requests, err := strconv.Atoi(args[1])
	ts.Check(err)
	path, err := exec.LookPath(args[2]) // testscript adds its commands to PATH
	ts.Check(err)
	cmd := exec.Command(path, args[3:]...)
	cmd.Dir = ts.MkAbs(".")
	announced := make(chan struct{})
	stderr := &served{announced: announced}
	var stdout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, stderr
	ts.Check(cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-announced:
	case err := <-ended:
		ts.Fatalf("ended: %v\n%s", err, &stderr.text)
	}
	address := recorderURL.FindStringSubmatch(stderr.text.String())[1]
	for n, clients := 0, 1; n < requests; clients++ {
		var phase sync.WaitGroup
		for range min(clients, requests-n) {
			item := fmt.Sprintf("%s/items/%d", address, n)
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

// sendSecretly sends a request and ignores its result.
func sendSecretly(address string) {
	r, err := http.NewRequest(http.MethodGet, address+"?token=s3cr3t", strings.NewReader("s3cr3t"))
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

// A killed recorder leaves the profile that it saved last. It never replaces a file that
// it did not write.
func TestRecorderSaves(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "fine") }))
	defer upstream.Close()
	target, err := url.Parse(upstream.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := learn.NewProxy(learn.ProxyOptions{Target: target})
	defer proxy.Close()
	front := httptest.NewServer(proxy)
	defer front.Close()
	out := filepath.Join(t.TempDir(), "learned.yaml")
	r := recorder{options: &recordOptions{out: out}, proxy: proxy, target: upstream.URL, stderr: io.Discard}
	send := func(n int) {
		for range n {
			sendSecretly(front.URL)
		}
	}
	send(learn.MinAnswers - 1)
	if err := r.save(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(out); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%d requests made a profile: %v", learn.MinAnswers-1, err)
	}
	for range 2 {
		send(learn.MinAnswers)
		if err := r.save(); err != nil {
			t.Fatal(err)
		}
		if _, err := mockupstream.LoadProfile(out); err != nil {
			t.Error(err)
		}
	}
	other := recorder{options: r.options, proxy: proxy, target: upstream.URL, stderr: io.Discard}
	if err := other.save(); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("another recorder replaced the file: %v", err)
	}
}
