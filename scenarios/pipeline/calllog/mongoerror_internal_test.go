package calllog

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"syscall"
	"testing"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/auth"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/description"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"floodgate/scenarios/pipeline"
)

// refusal is the error of a dialer that must not connect.
type refusal struct{}

func (refusal) Error() string     { return "not there" }
func (refusal) ErrorType() string { return "not_allowed" }

func TestTypesOfMongoErrors(t *testing.T) {
	selection := func(last error) error {
		return topology.ServerSelectionError{
			Wrapped: errors.New("server selection timeout"),
			Desc:    description.Topology{Servers: []description.Server{{}, {LastError: last}}},
		}
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{topology.WaitQueueTimeoutError{Wrapped: context.DeadlineExceeded}, "mongo_pool_timeout"},
		{selection(io.EOF), "mongo_server_selection"},
		{selection(nil), "mongo_server_selection"},
		{selection(fmt.Errorf("dial: %w", syscall.ECONNREFUSED)), "refused"},
		{selection(fmt.Errorf("dial: %w", syscall.EMFILE)), "emfile"},
		{selection(fmt.Errorf("dial: %w", syscall.EADDRNOTAVAIL)), "ports"},
		{topology.ConnectionError{Wrapped: fmt.Errorf("dial: %w", syscall.EADDRNOTAVAIL)}, "ports"},
		{selection(topology.ConnectionError{Wrapped: &tls.CertificateVerificationError{Err: io.EOF}}), "mongo_tls"},
		{selection(topology.ConnectionError{Wrapped: refusal{}}), "not_allowed"},
		{selection(&auth.Error{}), "mongo_auth"},
		{topology.ConnectionError{Wrapped: refusal{}}, "not_allowed"},
		{topology.ConnectionError{Wrapped: tls.RecordHeaderError{}}, "mongo_tls"},
		{topology.ConnectionError{Wrapped: syscall.ECONNRESET}, "reset"},
		{topology.ConnectionError{Wrapped: io.EOF}, "mongo_network"},
		{topology.ConnectionError{Wrapped: &auth.Error{}}, "mongo_auth"},
		{mongo.CommandError{Code: 18, Message: "authentication failed"}, "mongo_auth"},
		{mongo.CommandError{Code: 13, Message: "not authorized"}, "mongo_auth"},
		{mongo.CommandError{Labels: []string{"NetworkError"}, Wrapped: io.EOF}, "mongo_network"},
		{mongo.CommandError{Code: 50, Name: "MaxTimeMSExpired"}, "mongo_timeout"},
		{mongo.CommandError{Code: 2, Name: "BadValue"}, "mongo_command"},
		{mongo.WriteException{WriteErrors: mongo.WriteErrors{{Code: 11000}}}, "mongo_write"},
		{mongo.BulkWriteException{WriteConcernError: &mongo.WriteConcernError{Code: 64}}, "mongo_write"},
		{context.DeadlineExceeded, "mongo_timeout"},
		{mongo.ErrClientDisconnected, "mongo_disconnected"},
		{errors.New("what"), "mongo_other"},
	} {
		err := fmt.Errorf("write: %w", newMongoError(c.err))
		if got := pipeline.ErrorType(err); got != c.want {
			t.Errorf("%T %v: %s, want %s", c.err, err, got, c.want)
		}
	}
}

func TestDocumentsThatFailedAreNamedOrAll(t *testing.T) {
	at := func(index int) mongo.BulkWriteError {
		return mongo.BulkWriteError{WriteError: mongo.WriteError{Index: index, Code: 11000}}
	}
	for _, c := range []struct {
		name   string
		err    error
		stored int // of 3
		failed []int
	}{
		{"all stored", nil, 3, nil},
		{"fewer stored, and no error", nil, 2, []int{0, 1, 2}},
		{"some failed", mongo.BulkWriteException{WriteErrors: []mongo.BulkWriteError{at(0), at(2)}}, 1, []int{0, 2}},
		{"all failed", mongo.BulkWriteException{WriteErrors: []mongo.BulkWriteError{at(0), at(1), at(2)}}, 0, []int{0, 1, 2}},
		{"some failed, others were not tried", mongo.BulkWriteException{WriteErrors: []mongo.BulkWriteError{at(0)}}, 1, []int{0, 1, 2}},
		{"write concern too", mongo.BulkWriteException{
			WriteErrors: []mongo.BulkWriteError{at(0)}, WriteConcernError: &mongo.WriteConcernError{Code: 64}}, 2, []int{0, 1, 2}},
		{"none named", mongo.BulkWriteException{}, 3, []int{0, 1, 2}},
		{"not of documents", context.DeadlineExceeded, 0, []int{0, 1, 2}},
	} {
		err := writeError(c.err, c.stored, 3)
		failed := []int{0, 1, 2}
		var partial *pipeline.PartialError
		if err == nil {
			failed = nil
		} else if errors.As(err, &partial) {
			failed = slices.Sorted(maps.Keys(partial.Failed))
		}
		if !slices.Equal(failed, c.failed) {
			t.Errorf("%s: %v failed, want %v: %v", c.name, failed, c.failed, err)
		}
	}
}
