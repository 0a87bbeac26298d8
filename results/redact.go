package results

import (
	"regexp"
	"strings"
)

// mask stands where credentials were.
const mask = "***"

// Redact returns text with the credentials removed from every URI in it: what
// stands before the @ of a URI, and the values of query parameters and options
// that name a password, token, secret or key. A mongodb URI whose password
// holds unescaped '/', '?' or '@' loses all of it too: where it is unclear
// what belongs to the password, too much is removed rather than too little.
func Redact(text string) string {
	if !strings.Contains(text, "://") {
		return text
	}
	return uriPattern.ReplaceAllStringFunc(text, redactURI)
}

// A mongodb URI ends at a space alone: quotes may be part of its password.
var (
	uriPattern   = regexp.MustCompile(`(?i)[a-z0-9+.-]*mongodb[a-z0-9+.-]*://\S*|[a-z][a-z0-9+.-]*://[^\s"'<>` + "`" + `]*`)
	secretOption = regexp.MustCompile(`(?i)([?&;,][^=&;,#]*(?:passw|pwd|token|secret|apikey|api_key|accesskey|access_key|credential)[^=&;,#]*[=:])[^&;,#)]*`)
)

func redactURI(uri string) string {
	scheme, rest, _ := strings.Cut(uri, "://")
	start := credentialsEnd(strings.ToLower(scheme), rest)
	masked := scheme + "://"
	if start > 0 {
		masked += mask + "@"
	}
	return masked + secretOption.ReplaceAllString(rest[start:], "${1}"+mask)
}

// credentialsEnd returns where the host begins in what follows "scheme://".
func credentialsEnd(scheme, rest string) int {
	last := strings.LastIndexByte(rest, '@') + 1
	if last == 0 || strings.Contains(scheme, "mongodb") {
		return last
	}
	authority := rest
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		authority = rest[:end]
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		return at + 1
	}
	// An unescaped '/' in a password ends the authority early. "host:80/a@b"
	// has a port there; anything else after the colon is a password.
	_, port, hasPort := strings.Cut(authority, ":")
	if hasPort && strings.Trim(port, "0123456789") != "" {
		return last
	}
	return 0
}

// redacted returns the trial with [Redact] applied to all its free texts; the
// caller's slices stay as they are.
func (t Trial) redacted() Trial {
	t.Reason = Redact(t.Reason)
	t.StderrTail = Redact(t.StderrTail)
	warnings := make([]string, len(t.Warnings))
	for i, w := range t.Warnings {
		warnings[i] = Redact(w)
	}
	t.Warnings = warnings
	discarded := make([]Discarded, len(t.Discarded))
	for i, d := range t.Discarded {
		d.Reason = Redact(d.Reason)
		discarded[i] = d
	}
	t.Discarded = discarded
	errs := make([]ErrorCount, len(t.Errors))
	for i, e := range t.Errors {
		e.Sample = Redact(e.Sample)
		errs[i] = e
	}
	t.Errors = errs
	return t
}
