// Package tracelog declares what FerretDB uses of pgx's log.
package tracelog

import "context"

// LogLevel says how important a line is.
type LogLevel int

// The levels of pgx, with its numbers.
const (
	LogLevelError LogLevel = iota + 2
	LogLevelWarn
	LogLevelInfo
	LogLevelDebug
	LogLevelTrace
)

// Logger takes lines.
type Logger interface {
	Log(ctx context.Context, level LogLevel, msg string, data map[string]any)
}

// TraceLog says what is logged where.
type TraceLog struct {
	Logger   Logger
	LogLevel LogLevel
}
