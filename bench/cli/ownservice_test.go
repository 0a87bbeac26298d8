package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	sutclient "floodgate/bench/sut/client"
)

// ownProgram is a program of scripts that speaks the protocol: ownprogram TIMES fetches
// each item as often as TIMES has letters.
func ownProgram(args []string) *sutclient.Program {
	return sutclient.Each(func(s sutclient.Spec) (sutclient.Func, sutclient.Close, error) {
		if len(args) != 1 {
			return nil, nil, errors.New("usage: ownprogram TIMES")
		}
		fetch := func(ctx context.Context, item []string) error {
			for range args[0] {
				request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Upstream.URL+"/items/"+strings.Join(item, "/"), nil)
				if err != nil {
					return err
				}
				response, err := http.DefaultClient.Do(request)
				if err != nil {
					return err
				}
				_, _ = io.Copy(io.Discard, response.Body)
				response.Body.Close()
				if response.StatusCode != http.StatusOK {
					return errors.New(response.Status)
				}
			}
			return nil
		}
		return fetch, func(context.Context) error { http.DefaultClient.CloseIdleConnections(); return nil }, nil
	})
}

// ownService is a program of scripts: ownservice ADDRESS BEHAVIOR MARK serves HTTP at the
// address and ends at SIGTERM with status 0, unless its behavior is another one. MARK is
// an argument by which its processes are found. With behavior "counts", it writes at its end
// the paths of its requests with their numbers to the file in the variable COUNTED. With
// "tells" and "dies" it repeats all that it knows at each request, and fails at first or crashes.
func ownService(args []string) int {
	if len(args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: ownservice ADDRESS BEHAVIOR MARK")
		return 2
	}
	addr, behavior, mark := args[0], args[1], args[2]
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	switch behavior {
	case "never":
		<-terminated
		return 0
	case "elsewhere":
		addr = "127.0.0.1:0"
	case "forks":
		if !startService(addr, mark) {
			return 1
		}
		return 0
	case "children":
		if !startService("127.0.0.1:0", mark) {
			return 1
		}
	case "closes":
		os.Stdout.Close()
		os.Stderr.Close()
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("listening")
	var counted paths
	var told atomic.Int32
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		counted.add(r.URL.Path)
		if behavior == "tells" || behavior == "dies" {
			body, _ := io.ReadAll(r.Body)
			all := fmt.Sprintf("token %s argument %s header %v url %v body %s", os.Getenv("SERVICE_TOKEN"), mark, r.Header, r.URL, body)
			fmt.Fprintln(os.Stderr, all)
			if behavior == "dies" {
				os.Exit(3)
			}
			if told.Add(1) <= 3 { // then it recovers
				http.Error(w, all, http.StatusInternalServerError)
			}
			return
		}
		upstream := os.Getenv("UPSTREAM_URL")
		if upstream == "" {
			return
		}
		response, err := http.Get(upstream + r.URL.Path)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer response.Body.Close()
		w.WriteHeader(response.StatusCode)
		_, _ = io.Copy(w, response.Body) // to a client that may have left
	})}
	go func() { _ = server.Serve(listener) }()
	<-terminated
	if behavior == "counts" {
		if err := os.WriteFile(os.Getenv("COUNTED"), []byte(counted.String()), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	for behavior == "ignores" {
		<-terminated
	}
	return 0
}

// paths counts requests by their path.
type paths struct {
	mu     sync.Mutex
	counts map[string]int
}

func (p *paths) add(path string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.counts == nil {
		p.counts = map[string]int{}
	}
	p.counts[path]++
}

// String returns a line for each path with its number of requests.
func (p *paths) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var text strings.Builder
	for _, path := range slices.Sorted(maps.Keys(p.counts)) {
		fmt.Fprintln(&text, path, p.counts[path])
	}
	return text.String()
}

// startService starts a service and reports whether it listens.
func startService(addr, mark string) bool {
	service := exec.Command(os.Args[0], addr, "sound", mark)
	service.Args[0] = "ownservice"
	out, err := service.StdoutPipe()
	if err != nil || service.Start() != nil {
		return false
	}
	_, err = bufio.NewReader(out).ReadString('\n')
	return err == nil
}
