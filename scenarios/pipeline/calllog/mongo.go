package calllog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"floodgate/scenarios/pipeline"
	"floodgate/scenarios/pipeline/dialcount"
)

// MongoOptions say how documents are written.
type MongoOptions struct {
	// URI is where the database is, with credentials, TLS and write concern. Its
	// maxPoolSize, minPoolSize, retryWrites and maxAdaptiveRetries are not used; its
	// maxConnecting, serverSelectionTimeoutMS and timeoutMS are where the field
	// below is 0.
	URI string
	// Database and Collection that are written.
	Database, Collection string
	// MaxPoolSize bounds the driver's pool of connections. 0: unlimited (the
	// driver's own default is 100).
	MaxPoolSize int
	// MaxConnecting bounds how many connections the pool makes at once. 0: the
	// driver's default, 2. It is left there because it is what programs run
	// with; a pool of n is then n connections only where writes last longer
	// than a connection takes to be made.
	MaxConnecting int
	// Timeout of one write, its wait for a connection included. 0: none.
	Timeout time.Duration
	// SelectionTimeout is how long a write looks for a server. 0: the driver's default, 30s.
	SelectionTimeout time.Duration
	// Dialer counts connections, the monitor's among them. Nil: they are not counted.
	Dialer *dialcount.Counter
	// BeforeWrite is called before each write and AfterWrite after it. Nil: nothing.
	BeforeWrite, AfterWrite func()
}

// MongoWriter writes documents with the official driver: one by a replacement
// with upsert by _id, several by an unordered bulk of them. Writing again
// changes nothing. Writes are not retried, so that each failure is seen.
type MongoWriter struct {
	options    MongoOptions
	client     *mongo.Client
	collection *mongo.Collection
	pool       poolMonitor
}

// NewMongoWriter makes a writer with a client of its own; Close it. It does
// not wait for the server: see Ping.
func NewMongoWriter(o MongoOptions) (*MongoWriter, error) {
	if o.MaxPoolSize < 0 || o.MaxConnecting < 0 || o.Timeout < 0 || o.SelectionTimeout < 0 {
		return nil, errors.New("mongo: pool size, connecting and timeouts must not be negative")
	}
	if o.Database == "" || o.Collection == "" {
		return nil, errors.New("mongo: database and collection must be named")
	}
	w := &MongoWriter{options: o}
	client := clientOptions(o).SetMonitor(commandMonitor()).SetPoolMonitor(&event.PoolMonitor{Event: w.pool.event})
	var err error
	if w.client, err = mongo.Connect(client); err != nil {
		return nil, fmt.Errorf("mongo: %w", err)
	}
	w.collection = w.client.Database(o.Database).Collection(o.Collection)
	return w, nil
}

// clientOptions are those of the URI, and those which override them.
func clientOptions(o MongoOptions) *options.ClientOptions {
	client := options.Client().ApplyURI(o.URI).
		SetMaxPoolSize(uint64(o.MaxPoolSize)).
		SetMinPoolSize(0).
		SetRetryWrites(false).
		SetMaxAdaptiveRetries(0) // else a server that says it is overloaded is asked again
	if o.MaxConnecting > 0 {
		client.SetMaxConnecting(uint64(o.MaxConnecting))
	}
	if o.SelectionTimeout > 0 {
		client.SetServerSelectionTimeout(o.SelectionTimeout)
	}
	if client.DisableCertificateRevocationCheck == nil {
		// An answer that the server staples is checked all the same; asking the
		// authority would be a connection to a third party.
		client.SetDisableOCSPEndpointCheck(true)
	}
	if o.Dialer != nil {
		client.SetDialer(o.Dialer)
	}
	return client
}

// Ping waits until the server answers or ctx is done.
func (w *MongoWriter) Ping(ctx context.Context) error {
	err := w.client.Ping(ctx, nil)
	if err == nil {
		return nil
	}
	typed := newMongoError(err)
	if typed.Kind == "ports" {
		return fmt.Errorf("ping mongo: no local port is free to connect from (EADDRNOTAVAIL): %w", typed)
	}
	return fmt.Errorf("ping mongo: %w", typed)
}

// Close closes all connections. It waits for those in use until ctx is done.
func (w *MongoWriter) Close(ctx context.Context) error {
	if err := w.client.Disconnect(ctx); err != nil {
		return fmt.Errorf("disconnect mongo: %w", err)
	}
	return nil
}

// Pool counts the connections of the pool.
func (w *MongoWriter) Pool() PoolCounts { return w.pool.read() }

// Write stores docs. Errors are a *MongoError or, where only some documents
// failed, a *pipeline.PartialError of them. The time until the driver sends
// is recorded as wait for the pool: the documents are encoded before, so that
// it is finding the server and getting a connection, made newly or not.
func (w *MongoWriter) Write(ctx context.Context, docs []Document) error {
	if w.options.BeforeWrite != nil {
		w.options.BeforeWrite()
	}
	if w.options.AfterWrite != nil {
		defer w.options.AfterWrite()
	}
	if len(docs) == 0 {
		return nil
	}
	encoded := make([]bson.Raw, len(docs))
	for i := range docs {
		var err error
		if encoded[i], err = bson.Marshal(&docs[i]); err != nil {
			return fmt.Errorf("encode document %s: %w", docs[i].ID, err)
		}
	}
	if w.options.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, w.options.Timeout)
		defer cancel()
	}
	op := newOperation(ctx)
	stored, err := w.replace(op, docs, encoded)
	pipeline.RecordPoolWait(ctx, op.waited(err))
	return writeError(err, stored, len(docs))
}

// replace says how many documents the server says it stored.
func (w *MongoWriter) replace(ctx context.Context, docs []Document, encoded []bson.Raw) (stored int, err error) {
	if len(docs) == 1 {
		result, err := w.collection.ReplaceOne(ctx, byID(docs[0]), encoded[0], options.Replace().SetUpsert(true))
		if result == nil {
			return 0, err
		}
		return int(result.MatchedCount + result.UpsertedCount), err
	}
	models := make([]mongo.WriteModel, len(docs))
	for i := range docs {
		models[i] = mongo.NewReplaceOneModel().SetFilter(byID(docs[i])).SetReplacement(encoded[i]).SetUpsert(true)
	}
	result, err := w.collection.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
	if result == nil {
		return 0, err
	}
	return int(result.MatchedCount + result.UpsertedCount), err
}

func byID(doc Document) bson.D { return bson.D{{Key: "_id", Value: doc.ID}} }

// writeError maps what the driver said back to the documents. It believes
// that some were stored only where the server's count of them agrees:
// FerretDB 1.24 gives up a bulk at its first failure, and names document 0.
func writeError(err error, stored, docs int) error {
	if err == nil && stored == docs {
		return nil
	}
	if err == nil {
		return &MongoError{"write", fmt.Errorf("%d of %d documents stored, and no error", stored, docs)}
	}
	var bulk mongo.BulkWriteException
	if !errors.As(err, &bulk) || bulk.WriteConcernError != nil {
		return newMongoError(err)
	}
	failed := make(map[int]error, len(bulk.WriteErrors))
	for _, e := range bulk.WriteErrors {
		failed[e.Index] = newMongoError(e)
	}
	if len(failed) == 0 || len(failed)+stored != docs {
		return newMongoError(err)
	}
	return &pipeline.PartialError{Failed: failed}
}
