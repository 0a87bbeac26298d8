package calllog

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/mongo"
	xdriver "go.mongodb.org/mongo-driver/v2/x/mongo/driver"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/auth"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"floodgate/scenarios/pipeline"
)

// MongoError is an error of the driver or the server, with a type.
type MongoError struct {
	// Kind is pool_timeout (no connection in time), server_selection, auth
	// (wrong or no credentials), tls (no secure connection came about),
	// timeout, network, disconnected (client closed), write (the server
	// refused a document) or command (it refused the command), else other. Or
	// it is emfile, ports, refused, reset or not_allowed (by the dialer) where that is
	// inside. Those, auth and tls also where they are why no server could be selected.
	Kind string
	Err  error
}

func newMongoError(err error) *MongoError { return &MongoError{mongoKind(err), err} }

// Error is the text of the cause.
func (e *MongoError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *MongoError) Unwrap() error { return e.Err }

// ErrorType is the kind, with mongo_ before it unless it is one of the system's.
func (e *MongoError) ErrorType() string {
	switch e.Kind {
	case "emfile", "ports", "refused", "reset", notAllowed:
		return e.Kind
	}
	return "mongo_" + e.Kind
}

// notAllowed is the type of a dialer's refusal to connect.
const notAllowed = "not_allowed"

func mongoKind(err error) string {
	if kind := connectionKind(err); kind != "" {
		return kind
	}
	var (
		selection topology.ServerSelectionError
		pool      topology.WaitQueueTimeoutError
		server    mongo.ServerError
		command   mongo.CommandError
		cleared   xdriver.RetryablePoolError // the pool was, since another connection broke
	)
	switch {
	case errors.As(err, &selection):
		return selectionKind(selection)
	case errors.As(err, &pool):
		return "pool_timeout"
	case mongo.IsTimeout(err):
		return "timeout"
	case mongo.IsNetworkError(err), errors.As(err, &cleared), errors.As(err, new(topology.ConnectionError)):
		return "network"
	case errors.Is(err, mongo.ErrClientDisconnected), errors.Is(err, context.Canceled):
		return "disconnected"
	case errors.As(err, &command):
		return "command"
	case errors.As(err, &server):
		return "write"
	}
	return "other"
}

// connectionKind is why no connection came about, or it did not last; "" where
// err does not say.
func connectionKind(err error) string {
	if kind := pipeline.SystemErrorType(err); kind != "" {
		return kind
	}
	var (
		dialer  interface{ ErrorType() string }
		authErr *auth.Error
		server  mongo.ServerError
	)
	switch {
	case errors.As(err, &dialer) && dialer.ErrorType() == notAllowed:
		return notAllowed
	case errors.As(err, &authErr), errors.As(err, &server) && (server.HasErrorCode(18) || server.HasErrorCode(13)):
		return "auth" // 18: AuthenticationFailed, 13: Unauthorized
	case pipeline.TLSError(err):
		return "tls"
	}
	return ""
}

// selectionKind looks for the last error of each server, which is not in the
// chain of the error.
func selectionKind(err topology.ServerSelectionError) string {
	for _, server := range err.Desc.Servers {
		if kind := connectionKind(server.LastError); kind != "" {
			return kind
		}
	}
	return "server_selection"
}
