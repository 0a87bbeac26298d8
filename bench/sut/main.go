package sut

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"floodgate/bench/internal/noproxy"
	"floodgate/bench/procjson"
)

// Exit codes of the SUT process.
const (
	exitUsage  = 2
	exitFailed = 4 // the pipeline could not run
	exitOrphan = 5 // the harness has died
)

// gcPercent is the built-in SUT's GOGC unless the environment sets it. With Go's
// default of 100, a heap of a few megabytes is collected every few milliseconds at the
// start of a batch, which would be attributed to the strategy.
const gcPercent = 400

// Main is the main function of the SUT process; args follow [ChildArg]. It sets the
// limits, and then becomes the command or runs one trial on stdin and stdout. It
// returns the exit code.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 2 && args[0] == guardArg {
		guard(args[1], stdin)
		return 0
	}
	if len(args) == 2 && args[0] == installArg {
		if err := install(args[1]); err != nil {
			fmt.Fprintln(stderr, "sut: install:", err)
			return exitFailed
		}
		return 0
	}
	if len(args) < 2 {
		fmt.Fprintf(stderr, "usage: %s NOFILE PARENT-PID [command…]\n", ChildArg)
		return exitUsage
	}
	nofile, err1 := strconv.Atoi(args[0])
	parent, err2 := strconv.Atoi(args[1])
	if err1 != nil || err2 != nil {
		fmt.Fprintf(stderr, "%s: %q: NOFILE and PARENT-PID must be numbers\n", ChildArg, args)
		return exitUsage
	}
	if err := dieWithParent(parent); err != nil {
		fmt.Fprintln(stderr, "sut: die with the harness:", err)
		return exitFailed
	}
	if err := setNoFile(nofile); err != nil {
		fmt.Fprintln(stderr, "sut:", err)
		return exitFailed
	}
	if command := args[2:]; len(command) > 0 {
		environ := os.Environ()
		if command[0] == fromInput {
			var err error
			if command, environ, err = readOrder(stdin); err != nil {
				fmt.Fprintln(stderr, "sut: read the command:", err)
				return exitFailed
			}
		}
		fmt.Fprintln(stderr, "sut:", become(command, environ))
		return exitFailed
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if err := serve(stdin, stdout, func() { os.Exit(exitOrphan) }); err != nil {
		fmt.Fprintln(stderr, "sut:", err)
		return exitFailed
	}
	return 0
}

// fromInput stands in place of a command that is the first line of the input.
const fromInput = "-"

// order is that line.
type order struct {
	Command []string `json:"command"`
	// Env is added to the environment.
	Env []string `json:"env,omitempty"`
}

// maxCommand bounds the line of an order, in bytes.
const maxCommand = 1 << 20

// readOrder reads a command and returns it with its environment. It reads no byte more,
// because the rest is the input of the command.
func readOrder(stdin io.Reader) (command, environ []string, err error) {
	var line []byte
	for b := make([]byte, 1); ; line = append(line, b[0]) {
		if _, err := io.ReadFull(stdin, b); err != nil {
			return nil, nil, err
		}
		if b[0] == '\n' {
			break
		}
		if len(line) == maxCommand {
			return nil, nil, fmt.Errorf("it is longer than %d bytes", maxCommand)
		}
	}
	var o order
	if err := procjson.Decode(line, &o); err != nil {
		return nil, nil, err
	}
	if len(o.Command) == 0 {
		return nil, nil, errors.New("it is empty")
	}
	return o.Command, noproxy.Environ(append(os.Environ(), o.Env...)), nil
}

// installArg makes our own binary copy itself: ChildArg, installArg, PATH.
const installArg = "install"

// install copies this program to a file.
func install(path string) (err error) {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	from, err := os.Open(self)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Close())
}

// serve runs one trial of the built-in SUT by the protocol. It calls orphaned if the
// harness dies before the end of the trial.
func serve(stdin io.Reader, stdout io.Writer, orphaned func()) error {
	ready := func(spec Spec) (m Message, err error) {
		m.Name = "floodgate"
		if len(spec.Profiles) > 0 {
			m.Profiles, err = serveProfiles(spec.Profiles)
		}
		return m, err
	}
	return converse(stdin, stdout, orphaned, newHostClock(), ready, func(spec Spec, in *input, send func(Message) error) (*Report, func() error, error) {
		core, err := newCore(spec)
		if err != nil {
			return nil, nil, err
		}
		report, err := work(core, in, send)
		return report, core.close, err
	})
}

// Serve runs one trial of another program by the protocol. ready holds its name and
// capabilities. run is called at "go"; it processes the items of the specification and
// returns the report and a function that closes its clients. If the harness dies, the
// process exits.
func Serve(stdin io.Reader, stdout io.Writer, ready Message, run func(Spec) (*Report, func() error, error)) error {
	is := func(Spec) (Message, error) { return ready, nil }
	return converse(stdin, stdout, func() { os.Exit(exitOrphan) }, newHostClock(), is, func(spec Spec, _ *input, _ func(Message) error) (*Report, func() error, error) {
		return run(spec)
	})
}

// converse speaks the protocol with the harness, and calls ready for that message and run at
// "go", or at the instant that it names.
func converse(stdin io.Reader, stdout io.Writer, orphaned func(), clock hostClock, makeReady func(Spec) (Message, error), run func(Spec, *input, func(Message) error) (*Report, func() error, error)) error {
	in := newInput(stdin, orphaned)
	out := json.NewEncoder(stdout)
	var spec Spec
	if err := in.next(TypeSpec, &spec); err != nil {
		return err
	}
	if spec.Floodgate != Version {
		return fmt.Errorf("the harness speaks version %d of the protocol, this is version %d", spec.Floodgate, Version)
	}
	if err := openPoller(); err != nil {
		return err
	}
	ready, err := makeReady(spec)
	if err != nil {
		return err
	}
	ready.Floodgate, ready.Type, ready.Clock, ready.Warmup = Version, TypeReady, true, true
	if err := out.Encode(ready); err != nil {
		return err
	}
	startAt, err := awaitGo(in, out, clock, func() error { return warmUp(spec, in, run) })
	if err != nil {
		return err
	}
	began := time.Now()
	report, end, err := run(spec, in, func(m Message) error { return out.Encode(m) })
	if err != nil {
		return err
	}
	if startAt > 0 && report != nil {
		report.stamp(clock.Wall, began, time.Now())
	}
	if err := out.Encode(Message{Type: TypeDone, Report: report}); err != nil {
		return err
	}
	if err := in.next(TypeClose, nil); err != nil {
		return err
	}
	if err := end(); err != nil {
		return err
	}
	in.finished.Store(true)
	if err := out.Encode(Message{Type: TypeClosed, Resources: used()}); err != nil {
		return err
	}
	<-in.ended
	return nil
}

// warmUp does the work of the warm-up and closes its clients.
func warmUp(spec Spec, in *input, run func(Spec, *input, func(Message) error) (*Report, func() error, error)) error {
	if spec.Warmup == nil {
		return errors.New("the harness sent \"warmup\", but its specification has none")
	}
	for began := time.Now(); ; {
		_, end, err := run(spec.warm(), in, nil)
		if err == nil {
			err = end()
		}
		if err != nil {
			return fmt.Errorf("warm up: %w", err)
		}
		if time.Since(began) >= spec.Warmup.For {
			return nil
		}
	}
}

// awaitGo warms up and tells the clock until "go", and returns at the instant that it
// names, which is zero if it names none.
func awaitGo(in *input, out *json.Encoder, clock hostClock, warm func() error) (startAt int64, err error) {
	for {
		kind, line, err := in.read(TypeWarmup, TypeClock, TypeGo)
		if err != nil {
			return 0, err
		}
		if kind == TypeWarmup {
			if err := warm(); err != nil {
				return 0, err
			}
			if err := out.Encode(Message{Type: TypeWarm}); err != nil {
				return 0, err
			}
			continue
		}
		if kind == TypeClock {
			if err := out.Encode(Message{Type: TypeClock, Now: clock.At(time.Now())}); err != nil {
				return 0, err
			}
			continue
		}
		var order Message
		if err := json.Unmarshal(line, &order); err != nil {
			return 0, fmt.Errorf("read %q: %w", TypeGo, err)
		}
		if order.StartAt > 0 {
			sleepUntil(clock.Time(order.StartAt), clock.sleep)
		}
		return order.StartAt, nil
	}
}

// work processes the items, or serves reports until it is told to drain.
func work(c *core, in *input, send func(Message) error) (*Report, error) {
	if !c.spec.Service {
		return c.run(context.Background())
	}
	s, err := c.serve()
	if err != nil {
		return nil, err
	}
	if err := send(Message{Type: TypeServing, Addr: s.listener.Addr().String()}); err != nil {
		return nil, err
	}
	orders := make(chan string, 2) // one of each type may remain unread
	go func() {
		for {
			order, _, err := in.read(TypeDrain, TypeStacks)
			if err != nil {
				return
			}
			orders <- order
			if order == TypeDrain {
				return
			}
		}
	}()
	return s.run(orders, send)
}

// openPoller makes the runtime open its poller's descriptors now, so that they are part
// of the baseline.
func openPoller() error {
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("open the runtime's poller: %w", err)
	}
	r.Close()
	return w.Close()
}

// input holds the lines of the harness. It reads ahead to detect their end at any time.
type input struct {
	lines    chan []byte
	ended    chan struct{}
	finished atomic.Bool // the end of input is expected
}

func newInput(r io.Reader, orphaned func()) *input {
	in := &input{lines: make(chan []byte, 4), ended: make(chan struct{})}
	go func() {
		defer close(in.ended)
		defer close(in.lines)
		lines := procjson.NewLines(r, maxOrder)
		for {
			line, err := lines.Next()
			if err != nil {
				if !in.finished.Load() {
					orphaned()
				}
				return
			}
			in.lines <- line
		}
	}()
	return in
}

// read reads the next line, which must be of one of the given types.
func (in *input) read(kinds ...string) (kind string, line []byte, err error) {
	expected := strings.Join(kinds, " or ")
	line, ok := <-in.lines
	if !ok {
		return "", nil, fmt.Errorf("the input ended, expected %q", expected)
	}
	var m struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(line, &m); err != nil {
		return "", nil, fmt.Errorf("read %q: %w", expected, err)
	}
	if !slices.Contains(kinds, m.Type) {
		return "", nil, fmt.Errorf("the harness sent %q, expected %q", m.Type, expected)
	}
	return m.Type, line, nil
}

// next reads the next line, which must be of the given type, into v. A nil v discards it.
func (in *input) next(kind string, v any) error {
	_, line, err := in.read(kind)
	if err != nil || v == nil {
		return err
	}
	if err := json.Unmarshal(line, v); err != nil {
		return fmt.Errorf("read %q: %w", kind, err)
	}
	return nil
}
