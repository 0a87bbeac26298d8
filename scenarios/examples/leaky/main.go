// Leaky is an HTTP service with a planted leak: every tenth report, exactly, is
// fetched with a client of its own, whose connection is never closed. With -leak-every 0
// it does not leak; -idle and -files then make its descriptors grow nevertheless, as a
// sound service's do.
//
//	go build -o leaky ./scenarios/examples/leaky
//	floodgate run ./scenarios/examples/leaky/leaky.yaml
package main

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync/atomic"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "address to listen on")
	every := flag.Int64("leak-every", 10, "`number` of reports of which one leaks a connection; 0 for none")
	idle := flag.Int("idle", http.DefaultMaxIdleConnsPerHost, "`number` of idle connections to the upstream that are kept")
	files := flag.Int64("files", 0, "`number` of files that are opened, one with every second report, and kept: a cache that fills")
	flag.Parse()
	pool := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: *idle}}
	cache := make(chan *os.File, *files)
	var reports atomic.Int64
	http.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("POST /reports/{number}", func(w http.ResponseWriter, r *http.Request) {
		client, n := pool, reports.Add(1)
		if *every > 0 && n%*every == 0 {
			client = &http.Client{Transport: &http.Transport{}} // the leak: its idle connection stays open
		}
		if n%2 == 0 && n/2 <= *files {
			file, err := os.Open(os.DevNull)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			cache <- file
		}
		answer, err := client.Get(os.Getenv("UPSTREAM_URL") + "/items/" + r.PathValue("number"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer answer.Body.Close()
		if _, err := io.Copy(w, answer.Body); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	})
	fmt.Fprintln(os.Stderr, http.ListenAndServe(*addr, nil))
	os.Exit(1)
}
