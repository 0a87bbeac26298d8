package secrets_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"floodgate/mockupstream/secrets"
)

// Removing all encodings, the longest first, leaves none of them.
func TestEncodings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.StringMatching(`[a-zA-Z0-9 /&%"äø=+]{4,20}`).Draw(t, "secret")
		forms := secrets.Encodings(secret)
		if !slices.Contains(forms, secret) {
			t.Fatalf("%q lacks the secret itself", forms)
		}
		for i, f := range forms {
			if i > 0 && len(forms[i-1]) < len(f) || slices.Contains(forms[:i], f) {
				t.Fatalf("%q stands behind a part of itself or twice", f)
			}
		}
	})
}

func TestTail(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "word": "word", "ret\nline 2\nline 3\n": "line 2\nline 3", "ret rest of the line\n": "rest of the line",
		"ret\n" + strings.Repeat("x", 5000): strings.Repeat("x", 5000),
	} {
		if got := secrets.Tail(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}
