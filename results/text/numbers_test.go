package text_test

import (
	"testing"
	"time"

	"floodgate/results/text"
)

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 ns", 1: "1 ns", 999: "999 ns", 1000: "1.00 µs", 24_149: "24.1 µs", 999_400: "999 µs", 999_600: "1.00 ms",
		24_149_000: "24.1 ms", 99_960_000: "100 ms", 612 * time.Millisecond: "612 ms", 999_600_000: "1.00 s", 1_534_000_000: "1.53 s",
		9_996 * time.Millisecond: "10.0 s", 29_540 * time.Millisecond: "29.5 s", 125 * time.Second: "125 s", 3600 * time.Second: "3600 s",
	} {
		if got := text.Duration(d); got != want {
			t.Errorf("text.Duration(%d) = %q, want %q", d, got, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for share, want := range map[float64]string{0.784: "78.4 %", 0: "0.0 %", -0.0001: "0.0 %", -0.123: "-12.3 %", 1: "100.0 %", 0.99999: "100.0 %"} {
		if got := text.Percent(share); got != want {
			t.Errorf("text.Percent(%v) = %q, want %q", share, got, want)
		}
	}
	for x, want := range map[float64]string{0: "0", 4.0312: "4.03", 9.996: "10.0", 0.0123456: "0.0123", 0.9996: "1.00", 408: "408", 12345: "12345", -1.5: "-1.50"} {
		if got := text.Digits(x); got != want {
			t.Errorf("text.Digits(%v) = %q, want %q", x, got, want)
		}
	}
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", -1000: "-1,000", -999: "-999", 1234567: "1,234,567"} {
		if got := text.Count(n); got != want {
			t.Errorf("text.Count(%d) = %q, want %q", n, got, want)
		}
	}
}
