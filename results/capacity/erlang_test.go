package capacity_test

import (
	"math"
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"

	"floodgate/results/capacity"
)

// erlangSum is Erlang's formula as in textbooks, summed with 300 bits: (a^c/c!)·c/(c−a)
// divided by itself plus Σ a^k/k! for k < c.
func erlangSum(a float64, c int) float64 {
	of := func(x float64) *big.Float { return new(big.Float).SetPrec(300).SetFloat64(x) }
	term, sum := of(1), of(0)
	for k := range c {
		sum.Add(sum, term)
		term.Mul(term, of(a))
		term.Quo(term, of(float64(k+1)))
	}
	last := new(big.Float).SetPrec(300).Quo(of(float64(c)), new(big.Float).SetPrec(300).Sub(of(float64(c)), of(a)))
	last.Mul(last, term)
	p, _ := new(big.Float).SetPrec(300).Quo(last, sum.Add(sum, last)).Float64()
	return p
}

func TestErlangCIsTheSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		slots := rapid.IntRange(1, 2000).Draw(t, "slots")
		a := rapid.Float64Range(0.01, 0.999).Draw(t, "load") * float64(slots)
		w, err := capacity.ErlangC(a*10, 100*time.Millisecond, slots)
		if err != nil {
			t.Fatal(err)
		}
		want := erlangSum(a, slots)
		if math.Abs(w.Waits-want) > 1e-12+1e-9*want {
			t.Fatalf("%v of %v items at once at %d slots wait, want %v", w.Waits, a, slots, want)
		}
		// Little's law: the number of waiting items is rate × mean wait.
		if wait := want * 0.1 / (float64(slots) - a); math.Abs(w.Mean.Seconds()-wait) > 1e-9+1e-9*wait {
			t.Fatalf("they wait %v in the mean, want %v s", w.Mean, wait)
		}
	})
}

// One slot is M/M/1: the share ρ waits, and the mean wait is ρ/(μ−λ).
func TestErlangCOfOneSlot(t *testing.T) {
	w, err := capacity.ErlangC(8, 100*time.Millisecond, 1) // λ = 8, μ = 10
	if err != nil || math.Abs(w.Waits-0.8) > 1e-12 || w.Mean != 400*time.Millisecond || math.Abs(w.Load-0.8) > 1e-12 {
		t.Errorf("%+v, %v, want 0.8 that wait 400 ms", w, err)
	}
	w, err = capacity.ErlangC(5, 200*time.Millisecond, 2) // two slots, one in use: 1/3
	if err != nil || math.Abs(w.Waits-1.0/3) > 1e-12 {
		t.Errorf("%+v, %v, want a third", w, err)
	}
}

func TestErlangCRefuses(t *testing.T) {
	for _, c := range []struct {
		rate    float64
		service time.Duration
		slots   int
	}{{10, 100 * time.Millisecond, 1}, {0, 1, 1}, {1, 0, 1}, {1, 1, 0}, {math.NaN(), 1, 1}, {math.Inf(1), 1, 1}} {
		if w, err := capacity.ErlangC(c.rate, c.service, c.slots); err == nil {
			t.Errorf("%+v gave %+v", c, w)
		}
	}
}
