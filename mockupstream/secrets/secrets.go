// Package secrets knows the forms in which programs write a secret, so that it can be
// removed from their output:
//
//	for _, form := range secrets.Encodings(password) {
//		text = strings.ReplaceAll(text, form, "***")
//	}
package secrets

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// MinEncoded is the length in bytes of the shortest secret whose encodings are looked for:
// those of a shorter one would match parts of ordinary words.
const MinEncoded = 4

// LongestFirst sorts texts so that none stands behind a part of itself, and drops those
// that are there twice.
func LongestFirst(texts []string) []string {
	slices.SortFunc(texts, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(texts)
}

var percentEscape = regexp.MustCompile(`%[0-9A-F]{2}`)

// Encodings returns the forms in which programs write a secret: verbatim, and encoded for a
// URL, JSON, Go or basic authentication.
func Encodings(secret string) []string {
	raw := []byte(secret)
	forms := []string{
		secret, url.QueryEscape(secret), url.PathEscape(secret), url.UserPassword("", secret).String()[1:],
		base64.StdEncoding.EncodeToString(raw), base64.RawStdEncoding.EncodeToString(raw),
		base64.URLEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw),
		inner(strconv.Quote(secret)), inner(strconv.QuoteToASCII(secret)),
	}
	if b, err := json.Marshal(secret); err == nil {
		forms = append(forms, inner(string(b)))
	}
	var plain strings.Builder
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(secret) == nil {
		forms = append(forms, inner(strings.TrimSuffix(plain.String(), "\n")))
	}
	for _, f := range slices.Clone(forms) {
		forms = append(forms, percentEscape.ReplaceAllStringFunc(f, strings.ToLower), inner(strconv.Quote(f)))
	}
	return LongestFirst(forms)
}

// inner returns a quoted text without its quotation marks.
func inner(quoted string) string { return quoted[1 : len(quoted)-1] }

// Tail returns the end of a log, of which what came before was cut off, without its first
// line or, of a single line, its first word: that may be the end of a secret, which nobody
// would recognize.
func Tail(text string) string {
	text = strings.TrimRight(text, "\n")
	for _, end := range []string{"\n", " "} {
		if _, whole, found := strings.Cut(text, end); found {
			return whole
		}
	}
	return text
}
