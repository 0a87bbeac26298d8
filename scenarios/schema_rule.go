package scenarios

import (
	"fmt"
	"regexp"
	"strings"
)

// rulePattern is what a threshold's rule may look like: every metric with a
// value in its unit.
func rulePattern() string {
	const space = `[ \t\n]*`
	name := strings.Trim(namePattern, "^$")
	values := map[Unit]string{
		UnitTime:  strings.Trim(durationPattern, "^$"),
		UnitBytes: strings.Trim(bytesPattern, "^$"),
		UnitShare: fmt.Sprintf(`(0|[1-9][0-9]{0,%d})(\.[0-9]{1,%d})?%%`, percentDigits-1, percentPlaces),
		UnitRate:  fmt.Sprintf(`(0|[1-9][0-9]{0,%d})(\.[0-9]{1,%d})?/s`, ratePlaces-1, ratePlaces),
		UnitCount: fmt.Sprintf(`(0|[1-9][0-9]{0,%d})`, countDigits-1),
	}
	words := map[Unit][]string{}
	for _, m := range Metrics() {
		words[m.Unit] = append(words[m.Unit], regexp.QuoteMeta(m.Name))
	}
	var either []string
	ops := "(<=?|>=?|==)"
	for _, u := range []Unit{UnitTime, UnitCount, UnitShare, UnitBytes, UnitRate} {
		if u == UnitRate {
			ops = "(<=?|>=?)"
		}
		either = append(either, name+`\.(`+strings.Join(words[u], "|")+")"+space+ops+space+values[u])
	}
	either = append(either, MetricReduction+space+`\(`+space+name+space+","+space+name+space+`\)`+space+"(<=?|>=?)"+space+"-?"+values[UnitShare])
	return "^" + space + "(" + strings.Join(either, "|") + ")" + space + "$"
}
