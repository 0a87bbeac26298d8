package container

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"floodgate/bench/environment/child"
)

// asked returns the error of await for a container that never answers. change may change
// its behavior.
func awaitUnreachable(ctx context.Context, change func(*Running)) error {
	listening := make(chan struct{})
	close(listening)
	r := &Running{
		engine: &Engine{goarch: "amd64"}, addr: netip.MustParseAddrPort("127.0.0.1:4711"),
		spec:      Spec{Name: "database", Image: "mongo:8", Mongo: true, Ready: func(context.Context, netip.AddrPort) error { return errRefused }},
		listening: listening, done: make(chan struct{}),
		dial: func(context.Context, string, string) (net.Conn, error) { return nil, errRefused },
	}
	change(r)
	err := r.await(ctx)
	r.wg.Wait()
	return err
}

var errRefused = errors.New("connection refused")

// A program that listens behind an unreachable port is given up after a few seconds.
func TestPortThatCannotBeReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		err := awaitUnreachable(ctx, func(*Running) {})
		var unusable *UnusableError
		if !errors.As(err, &unusable) || !strings.Contains(err.Error(), "container database listens, but its port, published on 127.0.0.1:4711, cannot be reached: connection refused") ||
			!strings.Contains(unusable.Advice, "--network host") || !strings.Contains(unusable.Advice, "--env embedded") {
			t.Errorf("error %v", err)
		}
		if took := time.Since(began); took > 2*reachTimeout {
			t.Errorf("it took %s", took)
		}
	})
}

func TestPortThatCanBeReached(t *testing.T) {
	for name, change := range map[string]func(*Running){
		"not before it listens": func(r *Running) { r.listening = make(chan struct{}) },
		"though it answers late": func(r *Running) {
			r.dial = func(context.Context, string, string) (net.Conn, error) { c, _ := net.Pipe(); return c, nil }
		},
		"forwarded late": func(r *Running) {
			forwarded := time.Now().Add(reachTimeout - time.Second)
			r.dial = func(context.Context, string, string) (net.Conn, error) {
				if time.Now().Before(forwarded) {
					return nil, errRefused
				}
				c, _ := net.Pipe()
				return c, nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				good := time.Now().Add(30 * time.Second)
				err := awaitUnreachable(ctx, func(r *Running) {
					r.spec.Ready = func(context.Context, netip.AddrPort) error {
						if time.Now().Before(good) {
							return errRefused
						}
						return nil
					}
					change(r)
				})
				if err != nil {
					t.Errorf("it answered in the end, but: %v", err)
				}
			})
		})
	}
}

func TestAwaitEndsWithItsContextOrTheContainer(t *testing.T) {
	never := func(r *Running) { r.listening = make(chan struct{}) }
	synctest.Test(t, func(t *testing.T) {
		enough := errors.New("not ready after 1m0s")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, enough)
		defer cancel()
		if err := awaitUnreachable(ctx, never); !errors.Is(err, enough) || !errors.Is(err, errRefused) {
			t.Errorf("error %v, want the cause and the last try", err)
		}
		// A container that ends is not reported as unreachable.
		err := awaitUnreachable(t.Context(), func(r *Running) {
			r.spec.Ready = func(ctx context.Context, _ netip.AddrPort) error { <-ctx.Done(); return ctx.Err() }
			time.AfterFunc(time.Second, func() {
				r.code, r.death = 3, &child.Death{State: exitState(3)}
				close(r.done)
			})
		})
		if err == nil || err.Error() != "it ended: exit code 3" {
			t.Errorf("error %v, want how it ended", err)
		}
	})
}

func TestIllegalInstruction(t *testing.T) {
	for _, c := range []struct {
		goarch string
		mongo  bool
		want   string
	}{
		{"amd64", true, "image some:1 crashed: exit code 132 (signal 4, illegal instruction); MongoDB 5.0 and newer needs AVX; use --mongo-image mongo:4.4 or --env embedded"},
		{"arm64", true, "MongoDB 4.4.19 and newer needs ARMv8.2-A; use --mongo-image mongo:4.4.18 or --env embedded"},
		{"amd64", false, "it was built for another CPU"},
	} {
		err := (&Engine{goarch: c.goarch}).ended(Spec{Image: "some:1", Mongo: c.mongo}, 132, exitState(132))
		var unusable *UnusableError
		if !errors.As(err, &unusable) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c, err)
		}
		if err := (&Engine{}).ended(Spec{Mongo: c.mongo}, 139, exitState(139)); errors.As(err, &unusable) || err.Error() != "it ended: exit code 139 (signal 11)" {
			t.Errorf("another signal: %v", err)
		}
	}
	for code, want := range map[int64]string{0: "exit code 0", 1: "exit code 1", 128: "exit code 128", 137: "exit code 137 (signal 9, killed)", 255: "exit code 255"} {
		if got := exitState(code); got != want {
			t.Errorf("%d: %q, want %q", code, got, want)
		}
	}
}

func TestSpotter(t *testing.T) {
	for _, c := range []struct {
		writes []string
		phrase string
		want   bool
	}{
		{[]string{"Waiting for Connections on port 27017\n"}, "waiting for connections", true},
		{[]string{`{"msg":"Waiting f`, `o`, `r connections"}`}, "waiting for connections", true},
		{[]string{"waiting for", " nothing"}, "waiting for connections", false},
		{[]string{"anything"}, "", false},
		{nil, "waiting", false},
	} {
		var out strings.Builder
		s := newSpotter(&out, c.phrase)
		for _, w := range append(c.writes, "and on") { // also after the phrase was seen
			if n, err := s.Write([]byte(w)); n != len(w) || err != nil {
				t.Errorf("%q: %d, %v", w, n, err)
			}
		}
		seen := false
		select {
		case <-s.seen:
			seen = true
		default:
		}
		if seen != c.want || out.String() != strings.Join(c.writes, "")+"and on" {
			t.Errorf("%q in %q: %v, want %v; passed on %q", c.phrase, c.writes, seen, c.want, out.String())
		}
	}
}
