// Package enginetest serves a fake Docker engine for tests of failures: containers that
// crash, limits that are ignored, and ports that cannot be reached. No container runs:
//
//	e := enginetest.Serve(t, func(image string) enginetest.Behavior {
//		return enginetest.Behavior{ExitCode: 3, Output: "no space left"}
//	})
//	t.Setenv("DOCKER_HOST", e.Host)
package enginetest

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/moby/moby/api/types/container"
)

// Behavior describes the behavior of a container. The zero value runs, prints nothing, and
// has the requested limits.
type Behavior struct {
	// ExitCode ends the container at its start; zero means that it runs.
	ExitCode int
	// Output is the output of the container.
	Output string
	// Unlimited makes the engine ignore the requested limits.
	Unlimited bool
	// Warnings are returned when the container is created.
	Warnings []string
}

// Engine is a fake engine.
type Engine struct {
	// Host is the value of DOCKER_HOST.
	Host string

	behave func(image string) Behavior
	mu     sync.Mutex
	made   map[string]*made
	count  int
}

// made is a container.
type made struct {
	request  container.CreateRequest
	behave   Behavior
	started  bool
	finished chan struct{} // closed when it has ended or was removed
}

// Serve starts an engine, until the end of the test, that has every image. behave returns
// the behavior of the containers of an image.
func Serve(t *testing.T, behave func(image string) Behavior) *Engine {
	t.Helper()
	dir, err := os.MkdirTemp("", "fge") // short, because names of sockets must be
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "sock"))
	if err != nil {
		t.Fatal(err)
	}
	e := &Engine{Host: "unix://" + l.Addr().String(), behave: behave, made: map[string]*made{}}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: e.handler()}}
	s.Start()
	t.Cleanup(func() {
		e.removeAll()
		s.CloseClientConnections()
		s.Close()
		_ = os.RemoveAll(dir)
	})
	return e
}

// Left returns the IDs of the containers that were not removed.
func (e *Engine) Left() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var ids []string
	for id := range maps.Keys(e.made) {
		ids = append(ids, id)
	}
	return ids
}

func (e *Engine) removeAll() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, m := range e.made {
		m.end()
	}
	clear(e.made)
}

const (
	apiVersion  = "1.48"
	imageDigest = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
)

var versionPrefix = regexp.MustCompile(`^/v1\.[0-9]+/`)

func (e *Engine) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/_ping", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "OK") })
	fixed := func(value any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, value) }
	}
	mux.HandleFunc("GET /version", fixed(map[string]string{"Version": "28.0.0", "ApiVersion": apiVersion, "Os": "linux", "Arch": "amd64"}))
	mux.HandleFunc("GET /info", fixed(map[string]any{"CpuCfsQuota": true, "MemoryLimit": true, "OSType": "linux"}))
	mux.HandleFunc("GET /networks", fixed([]map[string]string{{"Name": "bridge", "Id": "bridge", "Driver": "bridge"}}))
	mux.HandleFunc("GET /networks/{name}", fixed(map[string]string{"Name": "bridge", "Id": "bridge", "Driver": "bridge"}))
	mux.HandleFunc("GET /images/{name...}", fixed(map[string]any{"Id": imageDigest, "Os": "linux", "Architecture": "amd64"}))
	mux.HandleFunc("POST /build", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		reply(w, http.StatusOK, map[string]string{"stream": "built"})
	})
	mux.HandleFunc("GET /containers/json", e.list)
	mux.HandleFunc("POST /containers/create", e.create)
	mux.HandleFunc("POST /containers/{id}/attach", e.attach)
	mux.HandleFunc("POST /containers/{id}/start", e.start)
	mux.HandleFunc("POST /containers/{id}/stop", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("POST /containers/{id}/wait", e.wait)
	mux.HandleFunc("GET /containers/{id}/json", e.inspect)
	mux.HandleFunc("GET /containers/{id}/logs", e.logs)
	mux.HandleFunc("DELETE /containers/{id}", e.remove)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", apiVersion)
		w.Header().Set("Ostype", "linux")
		r.URL.Path = versionPrefix.ReplaceAllString(r.URL.Path, "/")
		mux.ServeHTTP(w, r)
	})
}

func reply(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}

// with calls do with the container that a request names, without holding the lock.
func (e *Engine) with(w http.ResponseWriter, r *http.Request, do func(id string, m *made)) {
	id := r.PathValue("id")
	e.mu.Lock()
	m := e.made[id]
	e.mu.Unlock()
	if m == nil {
		reply(w, http.StatusNotFound, map[string]string{"message": "No such container: " + id})
		return
	}
	do(id, m)
}

func (e *Engine) create(w http.ResponseWriter, r *http.Request) {
	m := &made{finished: make(chan struct{})}
	if err := json.NewDecoder(r.Body).Decode(&m.request); err != nil {
		reply(w, http.StatusBadRequest, map[string]string{"message": err.Error()})
		return
	}
	m.behave = e.behave(m.request.Image)
	if m.behave.Unlimited {
		m.request.HostConfig.NanoCPUs, m.request.HostConfig.Memory = 0, 0
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.count++
	id := fmt.Sprintf("%064x", e.count)
	e.made[id] = m
	reply(w, http.StatusCreated, map[string]any{"Id": id, "Warnings": m.behave.Warnings})
}

func (e *Engine) start(w http.ResponseWriter, r *http.Request) {
	e.with(w, r, func(_ string, m *made) {
		e.mu.Lock()
		defer e.mu.Unlock()
		m.started = true
		if m.behave.ExitCode != 0 {
			m.end()
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// attach answers with a stream that lasts as long as the container.
func (e *Engine) attach(w http.ResponseWriter, r *http.Request) {
	e.with(w, r, func(_ string, m *made) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
		<-m.finished
	})
}

// end marks a container as ended. The lock is held.
func (m *made) end() {
	select {
	case <-m.finished:
	default:
		close(m.finished)
	}
}

func (e *Engine) remove(w http.ResponseWriter, r *http.Request) {
	e.with(w, r, func(id string, m *made) {
		e.mu.Lock()
		defer e.mu.Unlock()
		m.end()
		delete(e.made, id)
		w.WriteHeader(http.StatusNoContent)
	})
}

func (e *Engine) wait(w http.ResponseWriter, r *http.Request) {
	e.with(w, r, func(_ string, m *made) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		select {
		case <-m.finished:
			_ = json.NewEncoder(w).Encode(map[string]int{"StatusCode": m.behave.ExitCode})
		case <-r.Context().Done():
		}
	})
}

func (e *Engine) list(w http.ResponseWriter, r *http.Request) {
	var filters map[string]map[string]bool
	_ = json.Unmarshal([]byte(r.URL.Query().Get("filters")), &filters)
	e.mu.Lock()
	defer e.mu.Unlock()
	found := []map[string]any{}
	for id, m := range e.made {
		if matches(m.request.Labels, filters["label"]) {
			found = append(found, map[string]any{"Id": id, "Names": []string{"/" + id}, "Labels": m.request.Labels, "State": "running"})
		}
	}
	reply(w, http.StatusOK, found)
}

// matches reports whether the labels match all filters, NAME or NAME=VALUE.
func matches(labels map[string]string, filters map[string]bool) bool {
	for f := range filters {
		name, want, valued := strings.Cut(f, "=")
		if value, ok := labels[name]; !ok || valued && value != want {
			return false
		}
	}
	return true
}

func (e *Engine) inspect(w http.ResponseWriter, r *http.Request) {
	e.with(w, r, func(id string, m *made) {
		e.mu.Lock()
		defer e.mu.Unlock()
		state, ports := map[string]any{"Status": "created"}, map[string]any{}
		switch {
		case m.started && m.behave.ExitCode != 0:
			state = map[string]any{"Status": "exited", "ExitCode": m.behave.ExitCode}
		case m.started:
			state = map[string]any{"Status": "running", "Running": true}
			for port := range m.request.HostConfig.PortBindings {
				ports[port.String()] = []map[string]string{{"HostIp": "127.0.0.1", "HostPort": "1"}} // nothing listens there
			}
		}
		reply(w, http.StatusOK, map[string]any{
			"Id": id, "Name": "/" + id, "Image": imageDigest, "State": state, "HostConfig": m.request.HostConfig,
			"Config": m.request.Config, "NetworkSettings": map[string]any{"Ports": ports, "Networks": map[string]any{"bridge": map[string]any{}}},
		})
	})
}

func (e *Engine) logs(w http.ResponseWriter, r *http.Request) {
	e.with(w, r, func(_ string, m *made) {
		header := [8]byte{0: 1} // the stream (standard output) and the length
		binary.BigEndian.PutUint32(header[4:], uint32(len(m.behave.Output)))
		_, _ = w.Write(append(header[:], m.behave.Output...))
		if r.URL.Query().Get("follow") == "" {
			return
		}
		_ = http.NewResponseController(w).Flush()
		select {
		case <-m.finished:
		case <-r.Context().Done():
		}
	})
}
