package target

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

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
func NewScrubber(secrets []string) Scrubber {
	var forms []string
	for _, s := range secrets {
		if len(s) >= minSecret {
			forms = append(forms, formsOf(s)...)
		}
	}
	slices.SortFunc(forms, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return Scrubber{forms: slices.Compact(forms)}
}

var percentEscape = regexp.MustCompile(`%[0-9A-F]{2}`)

// formsOf returns the encodings in which a secret may appear.
func formsOf(s string) []string {
	forms := []string{
		s, url.QueryEscape(s), url.PathEscape(s), url.UserPassword("", s).String()[1:],
		base64.StdEncoding.EncodeToString([]byte(s)), base64.RawStdEncoding.EncodeToString([]byte(s)),
		base64.URLEncoding.EncodeToString([]byte(s)), base64.RawURLEncoding.EncodeToString([]byte(s)),
		inner(strconv.Quote(s)), inner(strconv.QuoteToASCII(s)),
	}
	if b, err := json.Marshal(s); err == nil {
		forms = append(forms, inner(string(b)))
	}
	var plain strings.Builder
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(s) == nil {
		forms = append(forms, inner(strings.TrimSuffix(plain.String(), "\n")))
	}
	for _, f := range slices.Clone(forms) {
		forms = append(forms, percentEscape.ReplaceAllStringFunc(f, strings.ToLower), inner(strconv.Quote(f)))
	}
	return slices.DeleteFunc(forms, func(f string) bool { return len(f) < minSecret })
}

// inner returns a quoted text without its quotation marks.
func inner(quoted string) string { return quoted[1 : len(quoted)-1] }

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
