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

// MongoOptions configures a MongoWriter.
type MongoOptions struct {
	// URI is the connection string of the database, with credentials, TLS and write
	// concern. Its maxPoolSize, minPoolSize, retryWrites and maxAdaptiveRetries are
	// ignored; its maxConnecting, serverSelectionTimeoutMS and timeoutMS apply if the
	// corresponding field below is zero.
	URI string
	// Database and Collection to write to.
	Database, Collection string
	// MaxPoolSize bounds the driver's pool of connections; zero means unlimited (the
	// driver's own default is 100).
	MaxPoolSize int
	// MaxConnecting bounds the connections that the pool opens concurrently; zero
	// means the driver's default of 2, with which most programs run. A pool of n then
	// has n connections only if writes take longer than opening a connection.
	MaxConnecting int
	// Timeout of one write, including its wait for a connection; zero means none.
	Timeout time.Duration
	// SelectionTimeout bounds the time in which a write selects a server; zero means the driver's default of 30s.
	SelectionTimeout time.Duration
	// Dialer counts connections, including the monitor's; nil means that they are not counted.
	Dialer *dialcount.Counter
	// BeforeWrite is called before each write and AfterWrite after it; either may be nil.
	BeforeWrite, AfterWrite func()
}

// MongoWriter writes documents with the official driver: one document by a
// replacement with upsert by _id, several by an unordered bulk of these. Repeated
// writes have no effect. Writes are not retried, so that every failure is visible.
type MongoWriter struct {
	options    MongoOptions
	client     *mongo.Client
	collection *mongo.Collection
	pool       poolMonitor
}

// NewMongoWriter returns a writer with its own client. Call Close to free it. It
// does not wait for the server; see Ping.
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

// clientOptions returns the options of the URI with overrides.
func clientOptions(o MongoOptions) *options.ClientOptions {
	client := options.Client().ApplyURI(o.URI).
		SetMaxPoolSize(uint64(o.MaxPoolSize)).
		SetMinPoolSize(0).
		SetRetryWrites(false).
		SetMaxAdaptiveRetries(0) // else the driver retries writes to an overloaded server
	if o.MaxConnecting > 0 {
		client.SetMaxConnecting(uint64(o.MaxConnecting))
	}
	if o.SelectionTimeout > 0 {
		client.SetServerSelectionTimeout(o.SelectionTimeout)
	}
	if client.DisableCertificateRevocationCheck == nil {
		// A stapled OCSP response is still checked; a request to the authority would be
		// a connection to a third party.
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

// Pool returns the counts of the pool's connections.
func (w *MongoWriter) Pool() PoolCounts { return w.pool.read() }

// Write stores docs. Errors are a *MongoError or, if only some documents failed, a
// *pipeline.PartialError of them. The time until the driver sends the command is
// recorded as wait for the pool. Since the documents are encoded before, it
// consists of server selection and the checkout of a connection, new or not.
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
		if encoded[i], err = docs[i].encode(); err != nil {
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

// replace stores docs and returns the server's count of stored documents.
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

// writeError maps the driver's error to the documents. It assumes that some were
// stored only if the server's count agrees: FerretDB 1.24 stops a bulk at its
// first failure and names document 0.
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
