package child

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"floodgate/bench/procjson"
)

// Greeted waits until a parent that is not on this machine has connected, because what a
// helper writes before is lost. The error is io.EOF if the input ends first.
func Greeted(stdin io.Reader) error {
	_, err := io.ReadFull(stdin, make([]byte, 1))
	return err
}

// Serve runs the helper's side. It sends ready, and answers requests with handle, which
// may be nil if there are none; its answer, if not nil, is that of [Process.Ask]. It returns nil when the parent closes stdin, and an
// error when done is closed.
func Serve(stdin io.Reader, stdout io.Writer, ready Ready, done <-chan struct{}, handle func(request []byte) (answer any, err error)) error {
	ready.Ready = true
	out := json.NewEncoder(stdout)
	if err := out.Encode(ready); err != nil {
		return fmt.Errorf("say that I am ready: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- answer(stdin, out, handle) }()
	select {
	case err := <-ended:
		return err
	case <-done:
		return errors.New("the server ended unexpectedly")
	}
}

func answer(stdin io.Reader, out *json.Encoder, handle func([]byte) (any, error)) error {
	lines := procjson.NewLines(stdin, maxLine)
	for {
		line, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := out.Encode(replyTo(line, handle)); err != nil {
			return fmt.Errorf("answer: %w", err)
		}
	}
}

func replyTo(request []byte, handle func([]byte) (any, error)) reply {
	if handle == nil {
		return reply{Error: "requests are not supported"}
	}
	answer, err := handle(request)
	if err != nil {
		return reply{Error: err.Error()}
	}
	r := reply{OK: true}
	if answer == nil {
		return r
	}
	if r.Answer, err = json.Marshal(answer); err != nil {
		return reply{Error: err.Error()}
	}
	return r
}
