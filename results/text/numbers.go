// Package text formats numbers with their units, and tables that fit a terminal:
//
//	text.Duration(24149 * time.Microsecond) // 24.1 ms
//	text.Plural(1200, "trial", "trials")    // 1,200 trials
//	text.Percent(0.7841)                    // 78.4 %
package text

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// None replaces an unavailable value.
const None = "—"

// Duration formats d with three significant digits: "24.1 ms", "1.53 s".
func Duration(d time.Duration) string {
	const longest = 3 * time.Hour // in seconds
	if d >= longest {
		return Digits(d.Hours()) + " h"
	}
	units := []struct {
		size time.Duration
		name string
	}{{time.Second, "s"}, {time.Millisecond, "ms"}, {time.Microsecond, "µs"}}
	for _, u := range units {
		// 999.6 ms has three digits as 1.00 s alone
		if text := Digits(float64(d) / float64(u.size)); d >= u.size || len(text) == 4 && strings.HasPrefix(text, "1.00") {
			return text + " " + u.name
		}
	}
	return fmt.Sprintf("%d ns", d.Nanoseconds())
}

// Short formats d like [Duration] without zeros at the end of its fraction: "20 ms", "1.5 s".
func Short(d time.Duration) string {
	text, unit, _ := strings.Cut(Duration(d), " ")
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	if text == "0" {
		return "0"
	}
	return text + " " + unit
}

// InWords formats d in minutes and seconds: "1 min 5 s".
func InWords(d time.Duration) string {
	s := int(d.Round(time.Second) / time.Second)
	if s < 60 {
		return fmt.Sprintf("%d s", s)
	}
	return fmt.Sprintf("%d min %d s", s/60, s%60)
}

// About formats d as an estimate is said: "45 s", "12 min", "3 h 12 min",
// "5 d 7 h".
func About(d time.Duration) string {
	minutes := int(d.Round(time.Minute) / time.Minute)
	switch {
	case d < 90*time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case minutes < 60:
		return fmt.Sprintf("%d min", minutes)
	case minutes < 48*60:
		return fmt.Sprintf("%d h %d min", minutes/60, minutes%60)
	}
	hours := int(d.Round(time.Hour) / time.Hour)
	return fmt.Sprintf("%d d %d h", hours/24, hours%24)
}

// Digits formats x with three significant digits, whole numbers in full.
func Digits(x float64) string {
	if x == 0 {
		return "0"
	}
	decimals := 2 - int(math.Floor(math.Log10(math.Abs(x))))
	text := strconv.FormatFloat(x, 'f', max(decimals, 0), 64)
	if rounded, _ := strconv.ParseFloat(text, 64); decimals > 0 && math.Abs(rounded) >= math.Pow10(3-decimals) {
		text = strconv.FormatFloat(x, 'f', decimals-1, 64) // 9.996 has become 10.00
	}
	return text
}

// Percent formats a share with one decimal: "78.4 %".
func Percent(share float64) string { return Points(share) + " %" }

// Points is [Percent] without its sign, and without "-0.0".
func Points(share float64) string {
	text := strconv.FormatFloat(100*share, 'f', 1, 64)
	if text == "-0.0" {
		return "0.0"
	}
	return text
}

// Count formats n with a comma between thousands.
func Count[N ~int | ~int64 | ~uint64](n N) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// Value formats a number of any size: whole ones with a comma between thousands,
// others with three significant digits.
func Value(x float64) string {
	if x == math.Trunc(x) && math.Abs(x) < 1<<53 {
		return Count(int64(x))
	}
	return Digits(x)
}

// Plural counts things: "1 trial", "1,200 trials".
func Plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Count(n) + " " + many
}

// OrNone formats a value, or returns [None] if it is nil.
func OrNone[T any](v *T, format func(T) string) string {
	if v == nil {
		return None
	}
	return format(*v)
}

// Bytes formats n in MiB or, from 1 GiB on, in GiB: "512 MiB", "8.0 GiB".
func Bytes(n int64) string {
	if n < 1<<30 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return Gibibytes(n)
}

// Gibibytes formats n in GiB: "8.0 GiB".
func Gibibytes(n int64) string { return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30)) }

// Mebibytes formats n in MiB with three significant digits: "30.5 MiB".
func Mebibytes(n int64) string { return Digits(float64(n)/(1<<20)) + " MiB" }
