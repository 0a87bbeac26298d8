package target_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"floodgate/bench/environment/target"
)

func TestScrub(t *testing.T) {
	s := target.NewScrubber([]string{"p@ss/w", "u:p@ss/w", "abc"})
	for _, c := range []struct{ in, want string }{
		{"", ""}, {"nothing to hide", "nothing to hide"},
		{"it was p@ss/w.", "it was ***."},
		{"auth u:p@ss/w failed", "auth *** failed"},
		{"url p%40ss%2Fw and p%40ss%2fw", "url *** and ***"},
		{`"p@ss\/w" p@ss/w`, `"p@ss\/w" ***`}, // no known encoder escapes the slash so
		{"Basic " + base64.StdEncoding.EncodeToString([]byte("u:p@ss/w")), "Basic ***"},
		{"mongodb://x:y@h/", "mongodb://***@h/"},
		{"abc is too short, mongodb://u:abc@h/ is not", "abc is too short, mongodb://***@h/ is not"},
	} {
		if got := s.Scrub(c.in); got != c.want {
			t.Errorf("%q became %q, want %q", c.in, got, c.want)
		}
	}
	if got := (target.Scrubber{}).Scrub("mongodb://x:y@h/ secret"); got != "mongodb://***@h/ secret" {
		t.Errorf("zero value: %q", got)
	}
}

func TestScrubbedErrors(t *testing.T) {
	s := target.NewScrubber([]string{"secret"})
	if s.Error(nil) != nil {
		t.Error("nil became an error")
	}
	err := s.Error(fmt.Errorf("secret: %w", io.EOF))
	if err.Error() != "***: EOF" || !errors.Is(err, io.EOF) {
		t.Errorf("%v", err)
	}
}

// encodings returns the encodings in which programs write a text.
func encodings(s string) []string {
	quoted, _ := json.Marshal(s)
	return []string{
		s, url.QueryEscape(s), url.PathEscape(s), strings.ToLower(url.QueryEscape("%")) + s, url.UserPassword("u", s).String(), string(quoted), strconv.Quote(s),
		strconv.QuoteToASCII(s), base64.StdEncoding.EncodeToString([]byte(s)), base64.RawURLEncoding.EncodeToString([]byte(s)), fmt.Sprintf("%q", url.QueryEscape(s)),
	}
}

func TestNoSecretSurvives(t *testing.T) {
	secret := rapid.OneOf(rapid.StringN(4, 12, -1), rapid.StringMatching(`[*]{4,7}`), rapid.StringMatching(`[ab*]{4,6}`), rapid.StringMatching(`[!-~]{4,9}`))
	rapid.Check(t, func(t *rapid.T) {
		secrets := rapid.SliceOfN(secret, 1, 3).Draw(t, "secrets")
		s := target.NewScrubber(secrets)
		var text strings.Builder
		for range rapid.IntRange(1, 4).Draw(t, "parts") {
			text.WriteString(rapid.StringMatching(`[ab*: ]{0,4}`).Draw(t, "between"))
			text.WriteString(rapid.SampledFrom(encodings(rapid.SampledFrom(secrets).Draw(t, "secret"))).Draw(t, "form"))
		}
		scrubbed := s.Scrub(text.String())
		for _, secret := range secrets {
			if len(secret) < 4 {
				continue
			}
			for _, form := range encodings(secret) {
				if len(form) >= 4 && strings.Contains(scrubbed, form) {
					t.Fatalf("%q became %q, which shows %q", text.String(), scrubbed, form)
				}
			}
		}
	})
}

func FuzzScrub(f *testing.F) {
	f.Add("secret", "a secret is out")
	f.Add("****", "********")
	f.Add("a***", "aa******")
	f.Fuzz(func(t *testing.T, secret, text string) {
		if len(secret) < 4 {
			return
		}
		for _, in := range []string{text, text + secret, secret + text + secret} {
			if got := target.NewScrubber([]string{secret}).Scrub(in); strings.Contains(got, secret) {
				t.Fatalf("%q became %q", in, got)
			}
		}
	})
}
