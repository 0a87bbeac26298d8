package load

import (
	"strings"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// types are what texts of errors say; vegeta keeps nothing else of them. The
// first that fits counts.
var types = []struct{ text, name string }{
	{"too many open files", "emfile"},
	{"assign requested address", "ports"},              // "cannot" on Linux, "can't" on BSDs
	{"Only one usage of each socket address", "ports"}, // Windows
	{"Client.Timeout", "timeout"},
	{"deadline exceeded", "timeout"},
	{"connection refused", "refused"},
	{"connection reset", "reset"},
	{"broken pipe", "reset"},
	{"EOF", "reset"},
	{"context canceled", "canceled"},
}

// errorType is the type of a request's error as records name it, empty for a success.
func errorType(r *vegeta.Result) string {
	switch {
	case r.Code >= 200 && r.Code < 300 && r.Error == "":
		return ""
	case r.Code == 429:
		return "http_429"
	case r.Code >= 500:
		return "http_5xx"
	case r.Code >= 400:
		return "http_4xx"
	case r.Code >= 300:
		return "http_3xx"
	}
	for _, t := range types {
		if strings.Contains(r.Error, t.text) {
			return t.name
		}
	}
	return "other"
}
