// Package affinity confines processes to cores:
//
//	err := affinity.Starting(affinity.Cores{2, 3}, cmd.Start) // cmd and its descendants run on these
//	err = affinity.Confine(os.Getpid(), affinity.Cores{0})    // and this process on that one
//
// It works on Linux. Elsewhere every function returns [errors.ErrUnsupported].
package affinity

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Cores holds the numbers of cores in ascending order. Nil means any core.
type Cores []int

// maxCore bounds the number of a core.
const maxCore = 1 << 16

// String returns the cores as the kernel lists them: "0-2,5".
func (c Cores) String() string {
	var parts []string
	for i := 0; i < len(c); {
		j := i
		for j+1 < len(c) && c[j+1] == c[j]+1 {
			j++
		}
		part := strconv.Itoa(c[i])
		if j > i {
			part += "-" + strconv.Itoa(c[j])
		}
		parts, i = append(parts, part), j+1
	}
	return strings.Join(parts, ",")
}

// Parse reads a list of cores as the kernel prints it.
func Parse(list string) (Cores, error) {
	var all Cores
	for part := range strings.SplitSeq(strings.TrimSpace(list), ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		first, err1 := strconv.ParseUint(from, 10, 64)
		last, err2 := strconv.ParseUint(to, 10, 64)
		if err1 != nil || err2 != nil || first > last || last > maxCore {
			return nil, fmt.Errorf("%q is not a list of cores (want one such as 0-2,5)", list)
		}
		for core := first; core <= last; core++ {
			all = append(all, int(core))
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}
