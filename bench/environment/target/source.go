package target

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"floodgate/results"
)

// Source lists the places that a URI with credentials can come from.
type Source struct {
	// Flag is the name of the flag with its dashes ("--mongo-uri"), and Value its value;
	// empty means that the flag is not set.
	Flag, Value string
	// File is the value of the flag with the suffix "-file": the name of a file that
	// holds the URI, or "-" for Stdin; empty means that the flag is not set.
	File string
	// Env is the name of the environment variable.
	Env string
	// Stdin is read if File is "-".
	Stdin io.Reader
}

// maxURI is the maximum length of a URI in bytes.
const maxURI = 64 << 10

// Read returns the URI, or "" if there is none. More than one source is an error. A URI
// with a secret is refused as the value of the flag, because command lines are visible to
// every user of the machine. Read removes the variable from the environment of this
// process, so that no child inherits it; do not read the variable before. Errors do not
// quote the URI.
func (s Source) Read() (string, error) {
	value := os.Getenv(s.Env)
	if err := os.Unsetenv(s.Env); err != nil {
		return "", fmt.Errorf("remove %s from the environment: %w", s.Env, err)
	}
	given := 0
	for _, v := range []string{s.Value, s.File, value} {
		if v != "" {
			given++
		}
	}
	switch {
	case given > 1:
		return "", fmt.Errorf("%s, %s-file and the environment variable %s: use only one of them (got %d)", s.Flag, s.Flag, s.Env, given)
	case s.File != "":
		return s.readFile()
	case s.Value != "" && holdsSecret(s.Value):
		return "", fmt.Errorf("%s contains a password or another secret, and command lines are visible to all users of this machine: put the URI into the environment variable %s, or into a file and name it with %s-file FILE (- for standard input)",
			s.Flag, s.Env, s.Flag)
	}
	return s.Value + value, nil
}

func (s Source) readFile() (string, error) {
	in, name := s.Stdin, "standard input"
	if s.File != "-" {
		f, err := os.Open(s.File)
		if err != nil {
			return "", fmt.Errorf("%s-file: %w", s.Flag, err)
		}
		defer f.Close()
		in, name = f, s.File
	}
	if in == nil {
		return "", fmt.Errorf("%s-file: no standard input", s.Flag)
	}
	text, err := io.ReadAll(io.LimitReader(in, maxURI+1))
	if err != nil {
		return "", fmt.Errorf("%s-file: read %s: %w", s.Flag, name, err)
	}
	uri := strings.TrimSpace(strings.TrimPrefix(string(text), "\uFEFF")) // without the byte-order mark
	switch {
	case len(text) > maxURI:
		err = fmt.Errorf("it is longer than %d bytes", maxURI)
	case uri == "":
		err = errors.New("it is empty")
	case strings.ContainsAny(uri, "\r\n"):
		err = errors.New("it has more than one line")
	}
	if err != nil {
		return "", fmt.Errorf("%s-file: %s: %w; want one URI", s.Flag, name, err)
	}
	return uri, nil
}

// holdsSecret reports whether a URI contains secrets. A malformed URI counts as one that
// does if it contains an @ or redaction changes it.
func holdsSecret(uri string) bool {
	if m, err := ParseMongo(uri); err == nil {
		return len(m.Secrets()) > 0
	}
	if u, err := ParseUpstream(uri); err == nil {
		return len(u.Secrets()) > 0
	}
	return strings.Contains(uri, "@") || results.Redact(uri) != uri
}
