package pipeline_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"floodgate/scenarios/pipeline"
)

type typed struct{ error }

func (typed) ErrorType() string { return "http_429" }

func (t typed) Unwrap() error { return t.error }

func TestErrorType(t *testing.T) {
	dial := func(errno error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", errno)}
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{dial(syscall.EMFILE), "emfile"},
		{dial(syscall.EADDRNOTAVAIL), "ports"},
		{dial(syscall.ECONNREFUSED), "refused"},
		{dial(syscall.ECONNRESET), "reset"},
		{fmt.Errorf("write: %w", syscall.EPIPE), "reset"},
		{fmt.Errorf("get: %w", io.EOF), "reset"},
		{typed{errors.New("too many")}, "http_429"},
		{typed{dial(syscall.EMFILE)}, "emfile"},
		{typed{dial(syscall.EADDRNOTAVAIL)}, "ports"},
		{typed{context.DeadlineExceeded}, "http_429"},
		{context.DeadlineExceeded, "timeout"},
		{os.ErrDeadlineExceeded, "timeout"},
		{context.Canceled, "canceled"},
		{fmt.Errorf("%w: %w", pipeline.ErrNotStarted, context.DeadlineExceeded), "canceled"},
		{fmt.Errorf("get: %w", &tls.CertificateVerificationError{Err: errBroken}), "tls"},
		{fmt.Errorf("get: %w", tls.RecordHeaderError{Msg: "no TLS"}), "tls"},
		{&net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}, "tls"},
		{&net.OpError{Op: "read", Err: errBroken}, "other"},
		{&pipeline.PanicError{Value: "broken"}, "panic"},
		{&pipeline.PanicError{Value: syscall.EMFILE}, "emfile"},
		{&pipeline.PartialError{Failed: map[int]error{3: typed{errBroken}}}, "http_429"},
		{errors.Join(errBroken, syscall.EMFILE), "emfile"},
		{io.ErrUnexpectedEOF, "other"},
		{errBroken, "other"},
	} {
		if got := pipeline.ErrorType(c.err); got != c.want {
			t.Errorf("%v: %q, want %q", c.err, got, c.want)
		}
		if c.err == nil {
			continue
		}
		wrapped := &pipeline.ItemError[string]{Item: "a", Stage: pipeline.StageFetch, Err: c.err}
		if got := pipeline.ErrorType(wrapped); got != c.want {
			t.Errorf("%v: %q, want %q", wrapped, got, c.want)
		}
	}
}
