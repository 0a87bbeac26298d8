// Package metrics serves metrics of running experiments to Prometheus:
//
//	s, err := metrics.Serve(ctx, "127.0.0.1:9090")
//	defer s.Close()
//	runner.Progress = s.Progress(metrics.Run{ID: id, Scenario: "report"})
//	fmt.Println(s.URL())                  // http://127.0.0.1:9090/metrics
package metrics

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/expfmt"

	"floodgate/bench/metrics/handoff"
	"floodgate/mockupstream"
)

// closeTimeout bounds the wait for scrapes in progress at the end.
const closeTimeout = time.Second

// finalFormat is the format of the final values.
var finalFormat = expfmt.NewFormat(expfmt.TypeProtoDelim)

// Server serves the metrics of one run after another.
type Server struct {
	listener net.Listener
	http     *http.Server
	serving  sync.WaitGroup
	registry *prometheus.Registry
	metrics  *metrics
	ended    chan struct{} // closed when final is set
	final    []byte        // nil if it could not be read
	giver    *handoff.Giver
}

// Serve listens on a loopback address; port 0 picks a free one.
// The caller must close the server.
func Serve(ctx context.Context, addr string) (*Server, error) {
	if err := mockupstream.CheckLoopback(addr); err != nil {
		return nil, fmt.Errorf("serve metrics: %w", err)
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("serve metrics: %w", err)
	}
	s := &Server{listener: listener, registry: prometheus.NewRegistry(), metrics: newMetrics(), ended: make(chan struct{})}
	s.registry.MustRegister(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{Namespace: "floodgate_harness"}))
	s.registry.MustRegister(s.metrics.collectors()...)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /metrics"+handoff.FinalPath, s.serveFinal)
	s.http = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	s.serving.Go(func() { _ = s.http.Serve(listener) }) // until Close
	return s, nil
}

// URL returns the URL of the metrics.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() + "/metrics" }

// Announce writes the URL to the folder of a companion that started this program, and the
// final values when the server closes; see package handoff. An empty folder means that
// there is no companion.
func (s *Server) Announce(dir string) error {
	if s.giver = handoff.New(dir); s.giver == nil {
		return nil
	}
	return s.giver.Announce(s.URL())
}

// serveFinal answers with the final values when the server closes.
func (s *Server) serveFinal(w http.ResponseWriter, r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-s.ended:
		if s.final == nil {
			http.Error(w, "the metrics could not be read", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", string(finalFormat))
		_, _ = w.Write(s.final)
	}
}

// finish reads the final values and leaves them to those who wait for them.
func (s *Server) finish() error {
	defer close(s.ended)
	families, err := s.registry.Gather()
	if err != nil {
		return err
	}
	var text bytes.Buffer
	encoder := expfmt.NewEncoder(&text, finalFormat)
	for _, f := range families {
		if err := encoder.Encode(f); err != nil {
			return err
		}
	}
	s.final = text.Bytes()
	if s.giver == nil {
		return nil
	}
	return s.giver.Finish(s.final)
}

// Close leaves the final values to a companion, stops listening, waits for the scrapes in
// progress and closes all connections. The error is that of the final values.
func (s *Server) Close() error {
	err := s.finish()
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close() // aborts scrapes that do not end
	}
	s.serving.Wait()
	if err != nil {
		return fmt.Errorf("final metrics: %w", err)
	}
	return nil
}
