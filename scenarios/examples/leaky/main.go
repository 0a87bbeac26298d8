// Leaky is an HTTP service with a planted leak: every tenth report, exactly, is
// fetched with a client of its own, whose connection is never closed.
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
	flag.Parse()
	var reports atomic.Int64
	http.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("POST /reports/{number}", func(w http.ResponseWriter, r *http.Request) {
		client := http.DefaultClient
		if n := reports.Add(1); *every > 0 && n%*every == 0 {
			client = &http.Client{Transport: &http.Transport{}} // the leak: its idle connection stays open
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
