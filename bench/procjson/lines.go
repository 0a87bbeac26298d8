package procjson

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// shown is how many bytes of a line errors show.
const shown = 200

// Lines reads lines of bounded length.
type Lines struct {
	in  *bufio.Reader
	max int
}

// NewLines returns the lines of r, each of at most max bytes.
func NewLines(r io.Reader, max int) *Lines {
	return &Lines{in: bufio.NewReaderSize(r, min(max, 64<<10)), max: max}
}

// Next returns the next line that is not empty, without its newline; it is the
// caller's to keep. At the end the error is [io.EOF]. A last line without a
// newline counts.
func (l *Lines) Next() ([]byte, error) {
	for {
		line, err := l.next()
		if line = bytes.TrimRight(line, "\r\n"); len(line) > 0 || err != nil {
			return line, err
		}
	}
}

func (l *Lines) next() (line []byte, err error) {
	for {
		part, err := l.in.ReadSlice('\n')
		if line = append(line, part...); len(line) > l.max+1 {
			return nil, fmt.Errorf("a line of more than %d bytes, which begins with %.*q", l.max, shown, line)
		}
		switch {
		case err == nil, errors.Is(err, io.EOF) && len(line) > 0:
			return line, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

// Decode decodes a line. Its error shows the line: a child that prints a trace or a
// greeting is easy to recognize.
func Decode(line []byte, v any) error {
	if err := json.Unmarshal(line, v); err != nil {
		return fmt.Errorf("not a message of the protocol: %w: %.*q", err, shown, line)
	}
	return nil
}

// Send writes a value as one line, bounded by ctx: a child that does not read
// cannot hold its parent. After an error of ctx nothing else can be sent.
func Send(ctx context.Context, w io.Writer, v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	sent := make(chan error, 1)
	go func() {
		_, err := w.Write(append(line, '\n'))
		sent <- err
	}()
	select {
	case err := <-sent:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
