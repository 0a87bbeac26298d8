package container_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/moby/moby/client"

	"floodgate/bench/container"
	"floodgate/results"
)

// mongoImage returns the image of the database in tests of the command.
func mongoImage() string {
	if name := os.Getenv("FLOODGATE_MONGO_IMAGE"); name != "" {
		return name
	}
	return "embedded"
}

// tinyScenario has six trials that are long enough to be interrupted.
const tinyScenario = `
version: 1
name: tiny
title: Long enough to be hit in the middle
seed: 7
items: {kind: phone-numbers}
upstream: {latency: {distribution: constant, value: 100ms}, late_bound: 10s}
sut: {timeout: 60s, fetch_timeout: 15s, write_timeout: 15s}
variants: [{strategy: bounded, limit: 5}]
levels: [{items: [20]}]
blocks: 6
claims:
  - {id: lossless, statement: nothing is lost, documents: {}}
`

// tinyLimits are the limits of its containers.
const tinyLimits = `
containers:
  upstream: {cpus: 1.5, memory: 256MiB}
  database: {cpus: 2, memory: 1GiB}
`

// trials is the number of trials of tinyScenario.
const trials = 6

// Exit codes of the command.
const (
	exitPassed     = 0
	exitUnmeasured = 4
)

// harness is a running "floodgate run" in a folder of its own.
type harness struct {
	t              *testing.T
	dir            string
	cmd            *exec.Cmd
	engine         *client.Client
	stdout, stderr syncBuffer
}

// syncBuffer is a buffer that may be read while a process writes.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// tiny writes tinyScenario to a file in a folder.
func tiny(t *testing.T, dir string, limits bool) string {
	t.Helper()
	text := tinyScenario
	if limits {
		text += tinyLimits
	}
	file := filepath.Join(dir, "tiny.yaml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// run runs tinyScenario in containers, with additional arguments.
func run(t *testing.T, dir string, args ...string) *harness {
	t.Helper()
	return runFile(t, dir, tiny(t, dir, true), args...)
}

// runFile runs a scenario in containers, with additional arguments.
func runFile(t *testing.T, dir, scenario string, args ...string) *harness {
	t.Helper()
	return command(t, dir, nil, append([]string{"run", scenario, "--env", "containers", "--mongo-image", mongoImage(), "--out", "runs"}, args...)...)
}

// command starts the command in a folder, with additional environment variables.
func command(t *testing.T, dir string, env []string, args ...string) *harness {
	t.Helper()
	h := &harness{t: t, dir: dir, cmd: exec.Command(floodgate(t), args...), engine: docker(t)}
	if err := os.MkdirAll(filepath.Join(dir, "tmp"), 0o755); err != nil {
		t.Fatal(err)
	}
	h.cmd.Dir = dir
	h.cmd.Env = append(append(os.Environ(), "TMPDIR="+filepath.Join(dir, "tmp")), env...)
	h.cmd.Stdout, h.cmd.Stderr = &h.stdout, &h.stderr
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if h.cmd.ProcessState == nil { // the test has failed, or the command is about to end
			_ = h.cmd.Process.Kill()
			_ = h.cmd.Wait()
		}
	})
	return h
}

// wait returns the exit code.
func (h *harness) wait() int {
	h.t.Helper()
	var exit *exec.ExitError
	if err := h.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		h.t.Fatal(err)
	}
	return h.cmd.ProcessState.ExitCode()
}

// said returns the whole output, for messages of tests.
func (h *harness) printed() string { return h.stdout.String() + h.stderr.String() }

// until waits until a condition holds.
func (h *harness) until(what string, condition func() bool) {
	h.t.Helper()
	defer func() {
		if h.t.Failed() {
			h.t.Log(h.printed())
		}
	}()
	until(h.t, what, condition)
}

// stored returns the number of complete lines in the run's file, and the run's ID.
func (h *harness) stored() (lines int, id string) {
	files, _ := filepath.Glob(filepath.Join(h.dir, "runs", "*", results.FileName))
	if len(files) == 0 {
		return 0, ""
	}
	src, _ := os.ReadFile(files[0])
	return bytes.Count(src, []byte("\n")), filepath.Base(filepath.Dir(files[0]))
}

// open reads the stored run.
func (h *harness) open() *results.Run {
	h.t.Helper()
	_, id := h.stored()
	stored, err := results.Open(filepath.Join(h.dir, "runs", id))
	if err != nil {
		h.t.Fatalf("%v\n%s", err, h.printed())
	}
	return stored
}

// containers returns the IDs of the containers that the command started.
func (h *harness) containers() []string {
	h.t.Helper()
	list, err := h.engine.ContainerList(h.t.Context(), client.ContainerListOptions{
		All: true, Filters: client.Filters{}.Add("label", "floodgate.owner.pid="+strconv.Itoa(h.cmd.Process.Pid)),
	})
	if err != nil {
		h.t.Fatal(err)
	}
	var ids []string
	for _, item := range list.Items {
		ids = append(ids, item.ID)
	}
	return ids
}

// container returns the ID and the address of the container with the role.
func (h *harness) container(role string) (id string, addr netip.AddrPort) {
	h.t.Helper()
	list, err := h.engine.ContainerList(h.t.Context(), client.ContainerListOptions{Filters: client.Filters{}.
		Add("label", "floodgate.owner.pid="+strconv.Itoa(h.cmd.Process.Pid), "floodgate.role="+role)})
	if err != nil || len(list.Items) != 1 || len(list.Items[0].Ports) != 1 {
		h.t.Fatalf("container %s: %+v, %v\n%s", role, list.Items, err, h.printed())
	}
	port := list.Items[0].Ports[0]
	return list.Items[0].ID, netip.AddrPortFrom(port.IP, port.PublicPort)
}

// untilTrials waits until the header and n trials are stored.
func (h *harness) untilTrials(n int) {
	h.t.Helper()
	h.until(fmt.Sprintf("%d trials are stored", n), func() bool { lines, _ := h.stored(); return lines > n })
}

// untilHalf waits until a trial is running that will not end soon.
func (h *harness) untilHalf() {
	h.t.Helper()
	_, addr := h.container("upstream")
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	h.until("a trial is under way", func() bool {
		response, err := client.Get("http://" + addr.String() + "/stats")
		if err != nil {
			return false
		}
		defer response.Body.Close()
		var stats struct {
			Requests int `json:"requests"`
		}
		return json.NewDecoder(response.Body).Decode(&stats) == nil && stats.Requests >= 5 && stats.Requests < 15
	})
}

// leavesNothing checks that nothing of the command is left: at once, or eventually if
// soon is set.
func (h *harness) leavesNothing(soon bool) {
	h.t.Helper()
	if soon {
		h.until("no container is left", func() bool { return len(h.containers()) == 0 })
	}
	if left := h.containers(); len(left) > 0 {
		h.t.Errorf("containers are left: %v\n%s", left, h.printed())
	}
	h.until("the temporary folder is empty", func() bool {
		left, _ := os.ReadDir(filepath.Join(h.dir, "tmp"))
		return len(left) == 0
	})
}

// says checks that the output contains all of the texts.
func (h *harness) wantOutput(want ...string) {
	h.t.Helper()
	for _, w := range want {
		if !strings.Contains(h.printed(), w) {
			h.t.Errorf("no %q in:\n%s", w, h.printed())
		}
	}
}

// outcomes counts the trials of each outcome.
func outcomes(r *results.Run) map[string]int {
	n := map[string]int{}
	for _, trial := range r.Trials {
		n[trial.Outcome]++
	}
	return n
}

// available skips or fails a test of the command if there is no engine or no image of the
// database.
func available(t *testing.T) *container.Engine {
	t.Helper()
	e := connect(t)
	if name := mongoImage(); name != "embedded" {
		if err := e.Available(t.Context(), name); err != nil {
			missing(t, err)
		}
	}
	return e
}
