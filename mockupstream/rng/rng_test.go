package rng_test

import (
	"math"
	"testing"

	"floodgate/mockupstream/rng"
	_ "floodgate/mockupstream/rng/fixedseed"

	"pgregory.net/rapid"
)

// The numbers agree with the reference implementation
// (https://prng.di.unimi.it/splitmix64.c).
func TestAtIsSplitMix64(t *testing.T) {
	for seed, want := range map[uint64][]uint64{
		0:       {0xe220a8397b1dcdaf, 0x6e789e6aa1b965f4, 0x06c45d188009454f},
		1234567: {6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821},
	} {
		for i, w := range want {
			if got := rng.At(seed, uint64(i+1)); got != w {
				t.Errorf("number %d of seed %d is %d, want %d", i+1, seed, got, w)
			}
		}
	}
}

func TestUniformIsOpen(t *testing.T) {
	for x, want := range map[uint64]float64{0: 0x1p-54, 1 << 63: 0.5, math.MaxUint64: 1 - 0x1p-53} {
		if got := rng.Uniform(x); got != want {
			t.Errorf("Uniform(%d) = %v, want %v", x, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		if u := rng.Uniform(rapid.Uint64().Draw(t, "x")); u <= 0 || u >= 1 {
			t.Errorf("%v is outside (0, 1)", u)
		}
	})
}

// Mix is a bijection: its inverse recovers every argument.
func TestMixIsBijective(t *testing.T) {
	unshift := func(x uint64, by uint) uint64 {
		y := x
		for s := by; s < 64; s += by {
			y = x ^ y>>by
		}
		return y
	}
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Uint64().Draw(t, "x")
		y := unshift(rng.Mix(x), 31) * 0x319642b2d24d8ec3
		y = unshift(y, 27) * 0x96de1b173f119089
		if y = unshift(y, 30); y != x {
			t.Errorf("the inverse of Mix(%#x) is %#x", x, y)
		}
	})
}
