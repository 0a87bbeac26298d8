package procjson_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"floodgate/bench/procjson"
	_ "floodgate/mockupstream/rng/fixedseed"
)

const (
	childArg  = "procjson-test-child"
	maxLine   = 1 << 20
	grandArg  = "procjson-test-grandchild"
	exitCode  = 7
	greetings = "Traceback (most recent call last):"
)

// The test binary is the child as well.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case childArg:
			os.Exit(work())
		case grandArg:
			select {}
		}
	}
	goleak.VerifyTestMain(m)
}

type request struct {
	Echo  string `json:"echo,omitempty"`
	Print string `json:"print,omitempty"` // as it is
	// Spawn starts a process that keeps the child's standard output.
	Spawn bool `json:"spawn,omitempty"`
}

type reply struct {
	Echo string `json:"echo"`
	PID  int    `json:"pid,omitempty"`
}

// work answers requests until its input ends.
func work() int {
	in := procjson.NewLines(os.Stdin, maxLine)
	for {
		line, err := in.Next()
		if errors.Is(err, io.EOF) {
			return exitCode
		}
		var r request
		if err != nil || procjson.Decode(line, &r) != nil {
			return 1
		}
		answer := reply{Echo: r.Echo}
		switch {
		case r.Print != "":
			fmt.Println(r.Print)
			continue
		case r.Spawn:
			cmd := exec.Command(os.Args[0], grandArg)
			cmd.Stdout = os.Stdout
			if cmd.Start() != nil {
				return 1
			}
			answer.PID = cmd.Process.Pid
		}
		if procjson.Send(context.Background(), os.Stdout, answer) != nil {
			return 1
		}
	}
}

// start starts a child that ends with the test.
func start(t *testing.T) (*procjson.Process, *procjson.Lines) {
	t.Helper()
	p, err := procjson.Start(exec.Command(os.Args[0], childArg), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Stdin.Close()
		p.Kill()
		p.Stdout.Close()
	})
	return p, procjson.NewLines(p.Stdout, maxLine)
}

func call(t *testing.T, p *procjson.Process, in *procjson.Lines, r request) (answer reply, err error) {
	t.Helper()
	if err := procjson.Send(t.Context(), p.Stdin, r); err != nil {
		t.Fatal(err)
	}
	line, err := in.Next()
	if err != nil {
		return answer, err
	}
	return answer, procjson.Decode(line, &answer)
}

func TestConversation(t *testing.T) {
	p, in := start(t)
	for _, text := range []string{"", "two\nlines", strings.Repeat("x", maxLine/2)} {
		if answer, err := call(t, p, in, request{Echo: text}); err != nil || answer.Echo != text {
			t.Errorf("%d bytes were answered with %d, %v", len(text), len(answer.Echo), err)
		}
	}
	if p.PID() == os.Getpid() {
		t.Error("the child is this process")
	}
	p.Stdin.Close()
	<-p.Done()
	if s := p.State(); s == nil || s.ExitCode() != exitCode {
		t.Errorf("ended with %v", s)
	}
	if _, err := in.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("after its end: %v", err)
	}
	p.Kill() // has no effect
	if err := procjson.Send(t.Context(), p.Stdin, request{}); err == nil {
		t.Error("sent to a child that has ended")
	}
}

// The error about a child that prints something else quotes it.
func TestSomethingElseIsShown(t *testing.T) {
	p, in := start(t)
	_, err := call(t, p, in, request{Print: greetings + strings.Repeat("!", 1000)})
	if err == nil || !strings.Contains(err.Error(), "not a message of the protocol") || !strings.Contains(err.Error(), greetings) || len(err.Error()) > 400 {
		t.Errorf("error %v", err)
	}
	if answer, err := call(t, p, in, request{Echo: "still there"}); err != nil || answer.Echo != "still there" {
		t.Errorf("the next line: %+v, %v", answer, err)
	}
	_, err = call(t, p, in, request{Print: strings.Repeat("y", maxLine-100)})
	if err == nil || len(err.Error()) > 400 {
		t.Errorf("error %v", err)
	}
}

// An endless line does not exhaust memory.
func TestLinesAreBounded(t *testing.T) {
	endless := iotest.DataErrReader(io.MultiReader(strings.NewReader("{}\n"), repeating('z')))
	in := procjson.NewLines(endless, 1000)
	if line, err := in.Next(); err != nil || string(line) != "{}" {
		t.Fatalf("%s, %v", line, err)
	}
	if _, err := in.Next(); err == nil || !strings.Contains(err.Error(), "a line of more than 1000 bytes, which begins with \"zzz") {
		t.Errorf("error %v", err)
	}
}

// repeating is an endless reader of one byte.
type repeating byte

func (r repeating) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(r)
	}
	return len(b), nil
}

// The values read equal the values sent, however the stream is split.
func TestSentLinesAreRead(t *testing.T) {
	cut := []func(io.Reader) io.Reader{
		func(r io.Reader) io.Reader { return r }, iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader,
	}
	rapid.Check(t, func(t *rapid.T) {
		var out bytes.Buffer
		values := rapid.SliceOf(rapid.String()).Draw(t, "values")
		for _, v := range values {
			if err := procjson.Send(context.Background(), &out, v); err != nil {
				t.Fatal(err)
			}
			out.WriteString(rapid.SampledFrom([]string{"", "\n", "\r\n"}).Draw(t, "blank lines"))
		}
		if rapid.Bool().Draw(t, "unterminated") {
			out.Truncate(len(bytes.TrimRight(out.Bytes(), "\r\n")))
		}
		in := procjson.NewLines(rapid.SampledFrom(cut).Draw(t, "cut")(&out), 1<<16)
		for i, want := range values {
			line, err := in.Next()
			var got string
			if err == nil {
				err = procjson.Decode(line, &got)
			}
			valid, _ := json.Marshal(want) // replaces invalid UTF-8
			if again, _ := json.Marshal(got); err != nil || !bytes.Equal(again, valid) {
				t.Fatalf("line %d: %q, %v; want %q", i, got, err, want)
			}
		}
		if line, err := in.Next(); !errors.Is(err, io.EOF) {
			t.Fatalf("after the last: %q, %v", line, err)
		}
	})
}

// A child that does not read cannot block its parent.
func TestSendingIsBounded(t *testing.T) {
	p, err := procjson.Start(exec.Command(os.Args[0], grandArg), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	cancel(enough)
	if err := procjson.Send(ctx, p.Stdin, strings.Repeat("x", 1<<20)); !errors.Is(err, enough) {
		t.Errorf("error %v", err)
	}
	p.Stdin.Close() // ends the blocked write
	p.Kill()
	p.Stdout.Close()
	if s := p.State(); s == nil || s.Success() {
		t.Errorf("killed: %v", s)
	}
}

// A child's descendants end with it, whether it is killed or exits: standard output,
// which a grandchild holds open, reaches its end.
func TestTheGroupEndsWithTheChild(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("groups cannot be killed")
	}
	for name, end := range map[string]func(*procjson.Process){
		"killed": (*procjson.Process).Kill,
		"ended":  func(p *procjson.Process) { p.Stdin.Close(); <-p.Done() },
	} {
		t.Run(name, func(t *testing.T) {
			p, in := start(t)
			if answer, err := call(t, p, in, request{Spawn: true}); err != nil || answer.PID == 0 {
				t.Fatalf("%+v, %v", answer, err)
			}
			end(p)
			if line, err := in.Next(); !errors.Is(err, io.EOF) {
				t.Errorf("%q, %v: the grandchild lives on", line, err)
			}
		})
	}
}

func TestStartErrors(t *testing.T) {
	if p, err := procjson.Start(exec.Command("/nowhere/at/all"), nil); err == nil {
		t.Errorf("started %d", p.PID())
	}
}
