package sut

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"time"

	"floodgate/results/profile"
)

// mutexFraction is the share of lock contentions that the built-in SUT records: 1 in that
// number.
const mutexFraction = 10

// serveProfiles serves the profiles of this process on a free port of 127.0.0.1 until it
// ends, and returns their URL. It answers like net/http/pprof, which would register itself
// with the default server of the programs that import this package.
func serveProfiles(kinds []string) (url string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("serve profiles: %w", err)
	}
	if slices.Contains(kinds, profile.Mutex) {
		runtime.SetMutexProfileFraction(mutexFraction)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "<tr><td>%d</td><td><a href='goroutine?debug=1'>goroutine</a></td></tr>\n", runtime.NumGoroutine())
	})
	for _, name := range []string{profile.Heap, profile.Goroutine, profile.Mutex} {
		mux.HandleFunc("GET /debug/pprof/"+name, func(w http.ResponseWriter, _ *http.Request) {
			_ = pprof.Lookup(name).WriteTo(w, 0) // the reader sees what it lacks
		})
	}
	mux.HandleFunc("GET /debug/pprof/profile", profileCPU)
	go func() { _ = (&http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}).Serve(listener) }() // until the process ends
	return "http://" + listener.Addr().String() + "/debug/pprof", nil
}

// profileCPU answers with the CPU time of the seconds that the request names.
func profileCPU(w http.ResponseWriter, r *http.Request) {
	seconds, _ := strconv.Atoi(r.FormValue("seconds"))
	if err := pprof.StartCPUProfile(w); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer pprof.StopCPUProfile()
	select {
	case <-time.After(time.Duration(cmp.Or(max(seconds, 0), 1)) * time.Second):
	case <-r.Context().Done():
	}
}
