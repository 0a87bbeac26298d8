// Package otlptracehttp declares what FerretDB's server uses of the OTLP exporter. The embedded
// FerretDB starts no exporter.
package otlptracehttp

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/sdk/trace"
)

var errUnused = errors.New("this build of FerretDB exports no traces")

// Exporter exports nothing.
type Exporter struct{}

// Option sets nothing.
type Option struct{}

// Compression is how requests are compressed.
type Compression int

// NoCompression is the zero Compression.
const NoCompression Compression = 0

// NewUnstarted returns an exporter that cannot be started.
func NewUnstarted(...Option) *Exporter { return &Exporter{} }

// WithEndpointURL is an Option.
func WithEndpointURL(string) Option { return Option{} }

// WithHeaders is an Option.
func WithHeaders(map[string]string) Option { return Option{} }

// WithTimeout is an Option.
func WithTimeout(time.Duration) Option { return Option{} }

// WithCompression is an Option.
func WithCompression(Compression) Option { return Option{} }

// Start returns an error.
func (*Exporter) Start(context.Context) error { return errUnused }

// ExportSpans returns an error.
func (*Exporter) ExportSpans(context.Context, []trace.ReadOnlySpan) error { return errUnused }

// Shutdown does nothing.
func (*Exporter) Shutdown(context.Context) error { return nil }
