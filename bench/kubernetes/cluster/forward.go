package cluster

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
)

// forwarder listens on loopback and carries connections to a port of a pod. When the
// API server goes away, new connections wait for it.
type forwarder struct {
	dial     func() (httpstream.Connection, error)
	port     uint16
	listener net.Listener
	ctx      context.Context
	cancel   context.CancelFunc
	wg       sync.WaitGroup

	mu         sync.Mutex // guards what follows, and is held while dialing
	connection httpstream.Connection
	requests   int
}

// Bounds of the wait for an API server that is away.
const (
	dialPause    = 250 * time.Millisecond
	dialPatience = 45 * time.Second
)

func startForwarder(ctx context.Context, port uint16, dial func() (httpstream.Connection, error)) (*forwarder, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("forward a port: %w", err)
	}
	f := &forwarder{dial: dial, port: port, listener: listener}
	f.ctx, f.cancel = context.WithCancel(ctx)
	f.wg.Go(f.accept)
	return f, nil
}

// Addr returns the loopback address.
func (f *forwarder) Addr() netip.AddrPort { return f.listener.Addr().(*net.TCPAddr).AddrPort() }

// Close closes all connections and waits for their end.
func (f *forwarder) Close() {
	f.cancel()
	f.listener.Close()
	f.mu.Lock()
	if f.connection != nil {
		f.connection.Close()
	}
	f.mu.Unlock()
	f.wg.Wait()
}

func (f *forwarder) accept() {
	for {
		client, err := f.listener.Accept()
		if err != nil {
			return
		}
		f.wg.Go(func() {
			defer client.Close()
			f.carry(client)
		})
	}
}

// carry copies a connection to the pod and back, until the pod has closed it.
func (f *forwarder) carry(client net.Conn) {
	data, complaints, err := f.open()
	if err != nil {
		return // the client sees a closed connection
	}
	answered, refused := make(chan struct{}), make(chan struct{})
	f.wg.Go(func() {
		defer close(answered)
		_, _ = io.Copy(client, data)
	})
	f.wg.Go(func() {
		defer data.Close() // the pod sees the end of the request
		_, _ = io.Copy(data, client)
	})
	f.wg.Go(func() {
		if text, _ := io.ReadAll(complaints); len(text) > 0 {
			close(refused)
		}
	})
	select {
	case <-answered:
	case <-refused:
	case <-f.ctx.Done():
	}
	client.Close()
	_ = data.Reset() // discards what was not sent
	_ = complaints.Reset()
}

// open opens the streams of a connection. It waits for the API server.
func (f *forwarder) open() (data, complaints httpstream.Stream, err error) {
	deadline := time.Now().Add(dialPatience)
	for {
		if data, complaints, err = f.streams(); err == nil || time.Now().After(deadline) {
			return data, complaints, err
		}
		timer := time.NewTimer(dialPause)
		select {
		case <-timer.C:
		case <-f.ctx.Done():
			timer.Stop()
			return nil, nil, f.ctx.Err()
		}
	}
}

func (f *forwarder) streams() (data, complaints httpstream.Stream, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ctx.Err() != nil {
		return nil, nil, f.ctx.Err()
	}
	if f.connection != nil {
		select {
		case <-f.connection.CloseChan():
			f.connection = nil
		default:
		}
	}
	if f.connection == nil {
		if f.connection, err = f.dial(); err != nil {
			f.connection = nil
			return nil, nil, err
		}
	}
	defer func() {
		if err != nil {
			f.connection.Close()
			f.connection = nil
		}
	}()
	f.requests++
	headers := http.Header{}
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	headers.Set(corev1.PortHeader, strconv.Itoa(int(f.port)))
	headers.Set(corev1.PortForwardRequestIDHeader, strconv.Itoa(f.requests))
	if complaints, err = f.connection.CreateStream(headers); err != nil {
		return nil, nil, err
	}
	_ = complaints.Close() // it is only read
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	if data, err = f.connection.CreateStream(headers); err != nil {
		return nil, nil, err
	}
	return data, complaints, nil
}
