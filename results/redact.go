package results

import (
	"regexp"
	"slices"
	"strings"
)

// mask replaces credentials.
const mask = "***"

// Redact returns text without the credentials of the URIs in it: the part of a
// URI before the @, and the values of query parameters and options that name a
// password, token, secret or key. Where it is unclear what belongs to a password,
// as with unescaped '/', '?' or '@' in a mongodb URI, it removes too much rather
// than too little.
func Redact(text string) string {
	if !strings.Contains(text, "://") {
		return text
	}
	return uriPattern.ReplaceAllStringFunc(text, redactURI)
}

// A mongodb URI ends only at a space: quotes may be part of its password.
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

// credentialsEnd returns the index of the host in rest, the URI after "scheme://".
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

// redacted returns a copy of the trial with [Redact] applied to all its free texts.
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
	t.Profiles = slices.Clone(t.Profiles)
	for i := range t.Profiles {
		t.Profiles[i].Error = Redact(t.Profiles[i].Error)
	}
	if t.Upstream != nil && t.Upstream.Errors != nil {
		upstream := *t.Upstream
		upstream.Errors = slices.Clone(upstream.Errors)
		for i, e := range upstream.Errors {
			upstream.Errors[i].Sample = Redact(e.Sample)
		}
		t.Upstream = &upstream
	}
	t.Errors = redactErrors(t.Errors)
	if t.Hosts != nil {
		hosts := slices.Clone(t.Hosts)
		for i := range hosts {
			hosts[i].Errors = redactErrors(hosts[i].Errors)
		}
		t.Hosts = hosts
	}
	return t
}

func redactErrors(all []ErrorCount) []ErrorCount {
	errs := make([]ErrorCount, len(all))
	for i, e := range all {
		e.Sample = Redact(e.Sample)
		errs[i] = e
	}
	return errs
}
