package child

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"floodgate/bench/procjson"
)

// Serve runs the helper's side. It sends ready, and answers requests with handle, which
// may be nil if there are none. It returns nil when the parent closes stdin, and an
// error when done is closed.
func Serve(stdin io.Reader, stdout io.Writer, ready Ready, done <-chan struct{}, handle func(request []byte) error) error {
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

func answer(stdin io.Reader, out *json.Encoder, handle func([]byte) error) error {
	lines := procjson.NewLines(stdin, maxLine)
	for {
		line, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		r := reply{OK: true}
		if handle == nil {
			r = reply{Error: "requests are not supported"}
		} else if err := handle(line); err != nil {
			r = reply{Error: err.Error()}
		}
		if err := out.Encode(r); err != nil {
			return fmt.Errorf("answer: %w", err)
		}
	}
}
