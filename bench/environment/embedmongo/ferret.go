package embedmongo

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"time"

	"github.com/FerretDB/FerretDB/ferretdb"
)

// ferret is a running FerretDB.
type ferret struct {
	network, address string
	cancel           context.CancelFunc
	done             chan struct{}
	err              error // valid when done is closed
}

func startFerret(ctx context.Context, dir string, log *slog.Logger) (*ferret, error) {
	f := &ferret{done: make(chan struct{})}
	config := &ferretdb.Config{Handler: "sqlite", SQLiteURL: dataURI(dir), Logger: log, Listener: innerListener()}
	db, err := ferretdb.New(config)
	if err != nil {
		return nil, err
	}
	// Only stop ends it, after the clients are disconnected.
	ctx, f.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(f.done)
		f.err = db.Run(ctx)
	}()
	if f.network, f.address = "unix", config.Listener.Unix; f.address == "" {
		uri, err := url.Parse(db.MongoDBURI())
		if err != nil {
			_ = f.stop()
			return nil, fmt.Errorf("address of FerretDB: %w", err)
		}
		f.network, f.address = "tcp", uri.Host
	}
	return f, nil
}

// stop stops FerretDB. Remaining connections have three seconds to end.
func (f *ferret) stop() error {
	f.cancel()
	<-f.done
	return f.err
}

func (f *ferret) dial(ctx context.Context) (stream, error) {
	c, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, f.network, f.address)
	if err != nil {
		return nil, fmt.Errorf("connect to FerretDB: %w", err)
	}
	return c.(stream), nil
}

// busyTimeout is the time for which a statement waits for another connection's write.
// It exceeds the time that a full pool of 100 writers needs by far.
const busyTimeout = 60 * time.Second

// dataURI returns FerretDB's connection string for a data folder. Transactions take
// the write lock when they begin, so that none fails half-way because another
// one wrote since. With a write-ahead log, synchronous(normal) syncs at
// checkpoints only.
func dataURI(dir string) string {
	values := url.Values{
		"_txlock": {"immediate"},
		"_pragma": pragmas(),
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(dir) + "/", OmitHost: true, RawQuery: values.Encode()}
	return u.String()
}

func pragmas() []string {
	return []string{
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()),
		"journal_mode(wal)",
		"synchronous(normal)",
		"auto_vacuum(none)",
	}
}
