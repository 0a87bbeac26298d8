package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// none stands where a value is unavailable.
const none = "—"

// duration writes d with three significant digits: "24.1 ms", "1.53 s".
func duration(d time.Duration) string {
	const longest = 3 * time.Hour // in seconds
	if d >= longest {
		return digits(d.Hours()) + " h"
	}
	units := []struct {
		size time.Duration
		name string
	}{{time.Second, "s"}, {time.Millisecond, "ms"}, {time.Microsecond, "µs"}}
	for _, u := range units {
		// 999.6 ms has three digits as 1.00 s alone
		if text := digits(float64(d) / float64(u.size)); d >= u.size || len(text) == 4 && strings.HasPrefix(text, "1.00") {
			return text + " " + u.name
		}
	}
	return fmt.Sprintf("%d ns", d.Nanoseconds())
}

// digits writes x with three significant digits, whole numbers in full.
func digits(x float64) string {
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

// percent writes a share with one decimal: "78.4 %".
func percent(share float64) string { return points(share) + " %" }

// points is percent without its sign, and without "-0.0".
func points(share float64) string {
	text := strconv.FormatFloat(100*share, 'f', 1, 64)
	if text == "-0.0" {
		return "0.0"
	}
	return text
}

// count writes n with a comma between thousands.
func count(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + many
}

// orNone formats a value, or says that there is none.
func orNone[T any](v *T, format func(T) string) string {
	if v == nil {
		return none
	}
	return format(*v)
}

// gibibytes writes n in GiB: "8.0 GiB".
func gibibytes(n int64) string { return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30)) }
