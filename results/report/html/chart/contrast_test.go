package chart

import (
	"math"
	"regexp"
	"strconv"
	"strings"
)

var property = regexp.MustCompile(`(--[a-z0-9-]+): (#[0-9a-f]{6})`)

// properties returns the colors of the n-th theme of the style.
func properties(css string, n int) map[string]string {
	blocks := strings.Split(css, ":root {")
	found := map[string]string{}
	for _, m := range property.FindAllStringSubmatch(blocks[n+1], -1) {
		if strings.HasPrefix(m[1], "--chart-grid") || strings.HasPrefix(m[1], "--chart-minor") || m[1] == "--chart-range" {
			continue // without a meaning of its own
		}
		found[m[1]] = m[2]
	}
	return found
}

// contrast returns the ratio of relative luminances according to WCAG 2.
func contrast(a, b string) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(color string) float64 {
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(color[1+2*i:3+2*i], 16, 8)
		if err != nil {
			return math.NaN()
		}
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
