// Package rng draws random numbers that are pure functions of a seed: the
// n-th number of a seed can be computed alone, in any order and by any
// goroutine. It is SplitMix64 (Steele, Lea, Flood, "Fast Splittable
// Pseudorandom Number Generators", OOPSLA 2014).
//
// A draw that depends on several things nests one in the other:
//
//	hash := rng.At(seed, attempt)
//	delay := rng.Uniform(rng.At(hash, 1))
//	fault := rng.Uniform(rng.At(hash, 2)) // independent of delay
package rng

// gamma is 2^64 divided by the golden ratio, the increment of SplitMix64.
const gamma = 0x9e3779b97f4a7c15

// At returns the n-th number, counted from 1, of the generator that begins at
// seed. Number 0 is [Mix] of the seed.
func At(seed, n uint64) uint64 { return Mix(seed + n*gamma) }

// Mix returns the output of SplitMix64 for the state x (Stafford's variant 13):
// a bijection that spreads every bit of x over all of the result.
func Mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// Uniform maps x to the open interval (0, 1), evenly.
func Uniform(x uint64) float64 {
	const belowOne = 1 - 0x1p-53
	return min((float64(x>>11)+0.5)/(1<<53), belowOne) // the largest sum rounds to 1
}
