// Command program stands in for ours in images of tests. Its last argument says
// what it does.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	switch os.Args[len(os.Args)-1] {
	case "mute": // runs on and listens nowhere
		fmt.Println("I run on and listen nowhere")
		time.Sleep(time.Hour)
	case "fail":
		fmt.Fprintln(os.Stderr, "I cannot work like this")
		os.Exit(3)
	case "hog": // takes memory without end
		fmt.Println("I take all of it")
		for all := [][]byte{}; ; time.Sleep(time.Millisecond) {
			piece := make([]byte, 1<<20)
			for i := range piece {
				piece[i] = 1
			}
			all = append(all, piece)
		}
	case "deaf": // does not end when it is told to
		signal.Ignore(syscall.SIGTERM)
		serve()
	case "write": // writes to /data/db without end
		file, err := os.Create("/data/db/file")
		for err == nil {
			_, err = file.Write(make([]byte, 1<<16))
		}
		fmt.Println(err)
		serve()
	default:
		ended := make(chan os.Signal, 1)
		signal.Notify(ended, syscall.SIGTERM)
		go serve()
		<-ended
		fmt.Println("I end as I was told")
	}
}

// serve serves /ready and /fetch, which asks UPSTREAM_URL for an item, at ADDR or on port
// 8080 of every interface.
func serve() {
	addr := os.Getenv("ADDR")
	if addr == "" {
		addr = ":8080"
	}
	http.HandleFunc("/ready", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("/fetch", func(w http.ResponseWriter, r *http.Request) {
		answer, err := http.Get(os.Getenv("UPSTREAM_URL") + "/items/1")
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer answer.Body.Close()
		_, _ = io.Copy(w, answer.Body) // so that the connection is kept
	})
	fmt.Println("I serve")
	fmt.Println(http.ListenAndServe(addr, nil))
}
