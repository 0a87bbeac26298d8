package strictyaml

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	leadingZero = regexp.MustCompile(`^[-+]?0[0-9_]`)
	zeroNumber  = regexp.MustCompile(`^[-+]?0[0-9_]+(\.[0-9_]*)?([eE][-+]?[0-9]+)?$`)
)

// IsAmbiguous reports whether a text is a number with a leading zero, such as
// 010, without a unit: see [CheckZeros].
func IsAmbiguous(text string) bool { return zeroNumber.MatchString(text) }

// CheckZeros returns an error if a number begins with a leading zero, as 010
// and 010ms do: YAML 1.1 and Go read 010 as octal 8, YAML 1.2 and most people
// as 10. The other notations of YAML and Go have one meaning and are accepted:
// 0x10 and 0o10 say their base, 1_000 is 1000, and +5 is 5.
func CheckZeros(number string) error {
	if !leadingZero.MatchString(number) {
		return nil
	}
	sign := number[:strings.IndexByte(number, '0')]
	rest := strings.TrimLeft(number[len(sign):], "0_")
	if rest == "" || rest[0] < '0' || rest[0] > '9' {
		rest = "0" + rest
	}
	why := ""
	if IsAmbiguous(number) {
		why = ", which could mean octal"
	}
	return fmt.Errorf("%s has a leading zero%s; write %s", short(number), why, short(sign+rest))
}

// short cuts a text that is too long for a message.
func short(text string) string {
	const most = 40
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
