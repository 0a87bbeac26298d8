package pipeline

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"runtime/debug"
	"slices"
)

// ErrNotStarted is the failure of an item that a canceled run did not start.
var ErrNotStarted = errors.New("not started")

// ErrGoexit is the failure of an item whose Fetcher or Writer called runtime.Goexit.
var ErrGoexit = errors.New("runtime.Goexit called")

// Stage is a stage of an item's processing.
type Stage string

// The stages of an item. An item that was not started failed in StageQueue.
const (
	StageQueue Stage = "queue"
	StageFetch Stage = "fetch"
	StageWrite Stage = "write"
)

// ItemError is the failure of one item.
type ItemError[I comparable] struct {
	Item  I
	Stage Stage
	Err   error
}

// Error returns the stage, the item and the cause.
func (e *ItemError[I]) Error() string { return fmt.Sprintf("%s %v: %v", e.Stage, e.Item, e.Err) }

// Unwrap returns the cause.
func (e *ItemError[I]) Unwrap() error { return e.Err }

// PartialError is returned by a Write that failed only for some documents.
// An error without documents, or with a document that was not written, counts as
// a failure of all documents.
type PartialError struct {
	// Failed maps the index of a document in the written slice to its error.
	Failed map[int]error
}

// Error returns the number of failed documents and the error of the first.
func (e *PartialError) Error() string {
	indexes := e.indexes()
	if len(indexes) == 0 {
		return "some documents failed"
	}
	first := indexes[0]
	return fmt.Sprintf("%d documents failed, document %d first: %v", len(indexes), first, e.Failed[first])
}

// Unwrap returns the failures in the order of the documents.
func (e *PartialError) Unwrap() []error {
	var errs []error
	for _, i := range e.indexes() {
		if err := e.Failed[i]; err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

func (e *PartialError) indexes() []int { return slices.Sorted(maps.Keys(e.Failed)) }

// fits reports whether e names documents out of n, and nothing else.
func (e *PartialError) fits(n int) bool {
	for i := range e.Failed {
		if i < 0 || i >= n {
			return false
		}
	}
	return len(e.Failed) > 0
}

// PanicError is a panic that was caught.
type PanicError struct {
	// Value is what panic was called with.
	Value any
	// Stack is the stack of the goroutine that panicked.
	Stack []byte
}

// Error returns the value and the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v\n\n%s", e.Value, e.Stack) }

// Unwrap returns the value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// catch stores a panic of the surrounding function in err. To be deferred.
func catch(err *error) {
	if v := recover(); v != nil {
		*err = &PanicError{Value: v, Stack: debug.Stack()}
	}
}

// keptFailures is the number of errors kept by a Failures.
const keptFailures = 100

// Failures summarizes the failures of a Stream.
type Failures struct {
	// Failed and NotStarted count items.
	Failed, NotStarted int
	// First holds the first 100 failures in the order of their occurrence.
	First []error
	// Cause is the reason why the run was canceled before its source ended, or nil.
	Cause error
}

// Error returns the counts and the first failure.
func (f *Failures) Error() string {
	text := fmt.Sprintf("%d items failed, %d not started", f.Failed, f.NotStarted)
	if f.Cause != nil {
		text += fmt.Sprintf("; canceled: %v", f.Cause)
	}
	if len(f.First) > 0 {
		text += fmt.Sprintf("; first: %v", f.First[0])
	}
	return text
}

// Unwrap returns First and Cause.
func (f *Failures) Unwrap() []error {
	if f.Cause == nil {
		return f.First
	}
	return append(slices.Clone(f.First), f.Cause)
}

func (f *Failures) add(err error) {
	if errors.Is(err, ErrNotStarted) {
		f.NotStarted++
	} else {
		f.Failed++
	}
	if len(f.First) < keptFailures {
		f.First = append(f.First, err)
	}
}

func (f *Failures) orNil() error {
	if f.Failed+f.NotStarted == 0 && f.Cause == nil {
		return nil
	}
	return f
}

// ErrorType classifies err. The types are emfile, ports, refused and reset if the chain
// contains such an error, otherwise the result of an error's method ErrorType() string
// (http_4xx, http_429, http_5xx, mongo_…, not_allowed), tls, timeout, canceled, panic
// or other. The type of nil is "".
func ErrorType(err error) string {
	if err == nil {
		return ""
	}
	if name := SystemErrorType(err); name != "" {
		return name
	}
	var typed interface{ ErrorType() string }
	var timeout net.Error
	var panicked *PanicError
	switch {
	case errors.Is(err, ErrNotStarted):
		return "canceled"
	case errors.As(err, &typed):
		return typed.ErrorType()
	case errors.As(err, &panicked):
		return "panic"
	case TLSError(err):
		return "tls"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, io.EOF):
		return "reset" // the peer closed the connection instead of answering
	}
	return "other"
}

// SystemErrorType returns emfile (the process or the system is out of descriptors),
// ports (no local port is free), refused or reset if the operating system reported such
// an error, and "" otherwise.
func SystemErrorType(err error) string {
	errnos := systemErrors()
	for _, name := range [...]string{"emfile", "ports", "refused", "reset"} {
		for _, errno := range errnos[name] {
			if errors.Is(err, errno) {
				return name
			}
		}
	}
	return ""
}

// TLSError reports whether err is a failure to establish a secure connection: the
// peer's certificate or ours was rejected, or the peer does not speak TLS.
func TLSError(err error) bool {
	var alert *net.OpError
	return errors.As(err, new(*tls.CertificateVerificationError)) || errors.As(err, new(tls.RecordHeaderError)) ||
		errors.As(err, &alert) && (alert.Op == "remote error" || alert.Op == "local error")
}
