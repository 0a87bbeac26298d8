package leak_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"floodgate/results/leak"
)

// service simulates an HTTP service that fetches each request from an upstream through a
// pool of connections.
type service struct {
	rate    func(t float64) float64 // requests a second, at a share t of the load
	latency func(t float64) float64 // median in seconds
	idle    int                     // connections that the pool keeps although they are idle
	files   int                     // of a cache that opens one with every second request
	every   int                     // a leak of each such request
}

const (
	loadSeconds = 8.0
	transit     = 0.002 // mean seconds from the end of a request until its connection is idle
)

// observe returns the samples of a trial; without peaks they have only what was in flight
// when they were taken.
func (s service) observe(seed uint64, peaks bool) []leak.Sample {
	const step = 1e-3
	rng := rand.New(rand.NewPCG(seed, 11))
	var samples []leak.Sample
	var ends, returns []float64 // of requests, and of their connections to the pool
	due, next := 0.0, rng.ExpFloat64()
	pool, arrived, completed, peak, kept := 0, 0, 0, 0, 0
	over := func(at float64) func(float64) bool { return func(end float64) bool { return end <= at } }
	for i := range int(loadSeconds / step) {
		at := float64(i) * step
		busy := len(ends)
		ends = slices.DeleteFunc(ends, over(at))
		completed += busy - len(ends)
		returns = slices.DeleteFunc(returns, over(at))
		pool = min(pool, len(returns)+s.idle)
		for due += s.rate(at/loadSeconds) * step; due >= next; next += rng.ExpFloat64() {
			arrived++
			end := at + s.latency(at/loadSeconds)*math.Exp(0.5*rng.NormFloat64())
			ends, returns = append(ends, end), append(returns, end+transit*rng.ExpFloat64())
			pool, peak = max(pool, len(returns)), max(peak, len(ends))
			if arrived%2 == 0 && arrived/2 <= s.files {
				kept++
			}
			if s.every > 0 && arrived%s.every == 0 {
				kept++
			}
		}
		if i%100 == 99 {
			v := leak.Sample{
				At: time.Duration(at * 1e9), Descriptors: float64(8 + pool + kept),
				InFlight: float64(len(ends)), Completed: float64(completed),
			}
			if peaks {
				v.Peak = float64(peak)
			}
			samples = append(samples, v)
		}
	}
	return samples
}

func always(v float64) func(float64) float64 { return func(float64) float64 { return v } }

func from(a, b float64) func(float64) float64 {
	return func(t float64) float64 { return a + (b-a)*t }
}

func stepped(a, b float64) func(float64) float64 {
	return func(t float64) float64 {
		if t < 0.5 {
			return a
		}
		return b
	}
}

func stopAndGo(t float64) float64 { return 150 * float64(int(8*t+1)%2) }

// services are loads, without a leak, under which descriptors grow.
var services = map[string]service{
	"low":                   {rate: always(10), latency: always(0.02), idle: 2},
	"low, pool":             {rate: always(10), latency: always(0.1), idle: 1000},
	"high":                  {rate: always(250), latency: always(0.02), idle: 2},
	"high, pool":            {rate: always(100), latency: always(0.3), idle: 1000},
	"ramp":                  {rate: from(10, 150), latency: always(0.02), idle: 2},
	"ramp, pool":            {rate: from(10, 150), latency: always(0.02), idle: 1000},
	"ramp, pool, slow":      {rate: from(10, 150), latency: always(0.2), idle: 1000},
	"step, pool":            {rate: stepped(30, 150), latency: always(0.02), idle: 1000},
	"stop and go":           {rate: stopAndGo, latency: always(0.02), idle: 2},
	"stop and go, pool":     {rate: stopAndGo, latency: always(0.02), idle: 1000},
	"slower":                {rate: always(60), latency: from(0, 0.5), idle: 2},
	"slower, pool":          {rate: always(60), latency: from(0, 0.5), idle: 1000},
	"slow upstream":         {rate: always(60), latency: stepped(0.02, 0.3), idle: 2},
	"slow upstream, pool":   {rate: always(60), latency: stepped(0.02, 0.3), idle: 1000},
	"cache":                 {rate: always(25), latency: always(0.02), idle: 2, files: 50},
	"cache, to four fifths": {rate: always(25), latency: always(0.02), idle: 2, files: 80},
}

func TestServicesWithoutALeak(t *testing.T) {
	const n = 20
	for name, s := range services {
		for _, peaks := range []bool{true, false} {
			count := map[leak.Cause]int{}
			for seed := range uint64(n) {
				f, err := leak.Regress(s.observe(seed, peaks), 0.95, 1)
				if err != nil {
					count[leak.Undecided]++
					continue
				}
				c := f.Cause()
				count[c]++
				if c == leak.Leak || c == leak.Both {
					t.Errorf("%s, peaks %v, seed %d: cause %s, %+v a request", name, peaks, seed, c, f.PerCompleted)
				}
			}
			t.Logf("%s, peaks %v: %v", name, peaks, count)
		}
	}
}

func TestServicesWithALeak(t *testing.T) {
	const n = 20
	for name, s := range services {
		if s.files > 0 {
			continue
		}
		s.every = 10
		found, low, high := 0, 9.0, -9.0
		count := map[leak.Cause]int{}
		for seed := range uint64(n) {
			f, err := leak.Regress(s.observe(seed, true), 0.95, 1)
			if err != nil {
				count["err"]++
				continue
			}
			count[f.Cause()]++
			if c := f.Cause(); c == leak.Leak || c == leak.Both {
				found++
				low, high = min(low, f.PerCompleted.Estimate), max(high, f.PerCompleted.Estimate)
			}
		}
		t.Logf("%s: %d %v %.4f %.4f", name, found, count, low, high)
	}
}
