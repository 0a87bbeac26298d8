package target

import (
	"slices"
	"strings"

	"floodgate/mockupstream/secrets"
	"floodgate/results"
)

// minSecret is the length in bytes of the shortest secret that is removed everywhere.
// Shorter ones would match parts of ordinary words, and the masked words would reveal
// them; they are removed only from URIs and together with their user.
const minSecret = 4

// mask replaces a secret. It is shorter than minSecret.
const mask = "***"

// Scrubber removes known secrets from texts. The zero value only removes the credentials
// of URIs.
type Scrubber struct {
	forms []string // of the secrets, the longest first
}

// NewScrubber returns a Scrubber of the secrets; see [Mongo.Secrets].
func NewScrubber(known []string) Scrubber {
	var forms []string
	for _, s := range known {
		if len(s) >= minSecret {
			forms = append(forms, secrets.Encodings(s)...)
		}
	}
	short := func(f string) bool { return len(f) < minSecret }
	return Scrubber{forms: secrets.LongestFirst(slices.DeleteFunc(forms, short))}
}

// Scrub returns text without the credentials of URIs (see [results.Redact]) and without
// the secrets, whether verbatim or encoded for a URL, JSON, Go or basic authentication.
// The result contains no secret of 4 bytes or more.
func (s Scrubber) Scrub(text string) string {
	text = results.Redact(text)
	// The text around a mask may form another secret; a secret may even consist of
	// asterisks.
	for range 8 {
		found := false
		for _, form := range s.forms {
			if strings.Contains(text, form) {
				text, found = strings.ReplaceAll(text, form, mask), true
			}
		}
		if !found {
			return text
		}
	}
	return mask
}

// Error returns err with its text scrubbed. Its chain is kept for errors.Is and
// errors.As. It returns nil for nil.
func (s Scrubber) Error(err error) error {
	if err == nil {
		return nil
	}
	return &scrubbedError{text: s.Scrub(err.Error()), err: err}
}

type scrubbedError struct {
	text string
	err  error
}

func (e *scrubbedError) Error() string { return e.text }
func (e *scrubbedError) Unwrap() error { return e.err }
