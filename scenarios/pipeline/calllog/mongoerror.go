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

// MongoError is a classified error of the driver or the server.
type MongoError struct {
	// Kind is pool_timeout (no connection in time), server_selection, auth
	// (wrong or missing credentials), tls (no secure connection),
	// timeout, network, disconnected (client closed), write (the server
	// rejected a document), command (it rejected the command) or other. It is emfile,
	// ports, refused, reset or not_allowed (by the dialer) if the chain has such an
	// error. These, auth and tls also apply if they are the reason why no server could
	// be selected.
	Kind string
	Err  error
}

func newMongoError(err error) *MongoError { return &MongoError{mongoKind(err), err} }

// Error returns the text of the cause.
func (e *MongoError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *MongoError) Unwrap() error { return e.Err }

// ErrorType returns the kind, with the prefix mongo_ unless it is a kind of system error.
func (e *MongoError) ErrorType() string {
	switch e.Kind {
	case "emfile", "ports", "refused", "reset", notAllowed:
		return e.Kind
	}
	return "mongo_" + e.Kind
}

// notAllowed is the type of errors of a dialer that refuses to connect.
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
		cleared   xdriver.RetryablePoolError // the pool was cleared because another connection broke
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

// connectionKind returns the reason why a connection could not be opened or was
// lost, or "" if err has none.
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

// selectionKind examines the last error of each server, which is not in the chain
// of the error.
func selectionKind(err topology.ServerSelectionError) string {
	for _, server := range err.Desc.Servers {
		if kind := connectionKind(server.LastError); kind != "" {
			return kind
		}
	}
	return "server_selection"
}
