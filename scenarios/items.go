package scenarios

import (
	"fmt"
	"math"
	"time"

	"floodgate/mockupstream/rng"
)

const phoneNumbers = 10_000_000 // of seven digits

// firstWeek is the start of date ranges: the first Monday of 2017.
var firstWeek = time.Date(2017, 1, 2, 0, 0, 0, 0, time.UTC)

// ItemArgs returns the arguments of every item: first the Items.Count distinct
// ones, then Count × Duplicates additional ones, rounded up, which repeat some of
// them, chosen by the seed. A phone number is "+1555" and seven digits derived from
// the seed. Date ranges are consecutive weeks with their first and last day, such
// as "2017-01-02" and "2017-01-08".
func (s *Scenario) ItemArgs() [][]string {
	n := s.Items.Count
	repeated := s.Items.repeated()
	args := make([][]string, 0, n+repeated)
	number := newWalk(s.Seed, phoneNumbers)
	for i := range n {
		if s.Items.Kind == "date-ranges" {
			from := firstWeek.AddDate(0, 0, 7*i)
			args = append(args, []string{from.Format(time.DateOnly), from.AddDate(0, 0, 6).Format(time.DateOnly)})
			continue
		}
		args = append(args, []string{fmt.Sprintf("+1555%07d", number.at(i))})
	}
	again := newWalk(rng.At(s.Seed, 1), n)
	for i := range repeated {
		args = append(args, args[again.at(i)])
	}
	return args
}

// repeated returns the number of items that repeat an earlier one.
func (i Items) repeated() int { return int(math.Ceil(float64(i.Count)*i.Duplicates - 1e-9)) }

// walk visits every number below size once, in an order determined by the seed.
type walk struct{ offset, stride, size uint64 }

func newWalk(seed uint64, size int) walk {
	w := walk{size: uint64(max(size, 1))}
	w.offset, w.stride = rng.At(seed, 1)%w.size, rng.At(seed+1, 1)%w.size
	for gcd(w.stride, w.size) != 1 {
		w.stride++
	}
	return w
}

func (w walk) at(i int) int { return int((w.offset + uint64(i)*w.stride) % w.size) }

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
