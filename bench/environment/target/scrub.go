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

// minSecret is the shortest secret that is looked for everywhere, in bytes. A
// shorter one would be found in every other word, and what is left would show
// it all the same; it is removed from URIs alone, and where it stands together
// with its user.
const minSecret = 4

// mask stands where a secret was. It is shorter than any secret looked for.
const mask = "***"

// Scrubber removes known secrets from texts. The zero value knows none and
// removes the credentials of URIs.
type Scrubber struct {
	forms []string // of the secrets, longest first
}

// NewScrubber makes a Scrubber of secrets as [Mongo.Secrets] gives them.
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

// formsOf returns the ways in which programs write a secret.
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

// inner returns a quoted text without its quotes.
func inner(quoted string) string { return quoted[1 : len(quoted)-1] }

// Scrub returns text without the credentials of URIs (see [results.Redact])
// and without the secrets: as they are, and as URLs, JSON, Go and basic
// authentication write them. No secret of 4 bytes or more is in what it returns.
func (s Scrubber) Scrub(text string) string {
	text = results.Redact(text)
	// What is left and right of a secret may be one, with the mask between
	// them; a secret may even be made of asterisks.
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

// Error returns err with its text scrubbed. What is in its chain stays, for
// errors.Is and errors.As; nil stays nil.
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
