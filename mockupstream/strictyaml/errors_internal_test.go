package strictyaml

import (
	"testing"

	"pgregory.net/rapid"
)

func TestNearest(t *testing.T) {
	names := []string{"limit", "linger", "writers", "queue", "max_conns_per_host"}
	for name, want := range map[string]string{
		"limt": "limit", "limti": "limit", "Limit": "limit", "writer": "writers", "workers": "writers",
		"max_conns": "max_conns_per_host", "": "", "x": "", "concurrency": "", "qeueu": "queue",
	} {
		if got := Nearest(name, names); got != want {
			t.Errorf("nearest to %q: %q, want %q", name, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	word := rapid.StringOfN(rapid.RuneFrom([]rune("abcé")), 0, 8, -1)
	rapid.Check(t, func(t *rapid.T) {
		a, b := word.Draw(t, "a"), word.Draw(t, "b")
		d := distance(a, b)
		if d != distance(b, a) {
			t.Fatalf("not symmetric: %d and %d", d, distance(b, a))
		}
		if (d == 0) != (a == b) {
			t.Fatalf("%d between %q and %q", d, a, b)
		}
		if longest := max(len([]rune(a)), len([]rune(b))); d > longest {
			t.Fatalf("%d is more than %d characters", d, longest)
		}
	})
}
