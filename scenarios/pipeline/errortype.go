package pipeline

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
)

// ErrorType classifies err: emfile, ports, refused and reset wherever they are
// inside; what an error's method ErrorType() string says (http_4xx, http_429,
// http_5xx, mongo_…, not_allowed); tls; timeout; canceled; panic; other. The
// type of nil is "".
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
		return "reset" // the other side closed the connection instead of answering
	}
	return "other"
}

// SystemErrorType returns emfile (the process or the system has no descriptor
// left), ports (no local port is left to connect from), refused or reset where
// the operating system reported it, else "".
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

// TLSError reports whether err is that no secure connection came about: the other
// side's certificate was not believed, or ours, or it does not speak TLS.
func TLSError(err error) bool {
	var alert *net.OpError
	return errors.As(err, new(*tls.CertificateVerificationError)) || errors.As(err, new(tls.RecordHeaderError)) ||
		errors.As(err, &alert) && (alert.Op == "remote error" || alert.Op == "local error")
}
