package gobench

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"
)

// Processors is a benchmark that both files have, but without a common number of
// processors (GOMAXPROCS, the suffix of its name).
type Processors struct {
	Package   string `json:"package"`
	Benchmark string `json:"benchmark"` // without "Benchmark" and the suffix
	Old       []int  `json:"old"`       // numbers in the old file
	New       []int  `json:"new"`
}

// processors splits a benchmark's name from the number of processors that go
// test appended: none for 1.
func processors(name string) (base string, n int) {
	_, parts := benchfmt.Name(name).Parts()
	if len(parts) > 0 {
		last := string(parts[len(parts)-1])
		if digits, ok := strings.CutPrefix(last, "-"); ok {
			if n, err := strconv.Atoi(digits); err == nil {
				return strings.TrimSuffix(name, last), n
			}
		}
	}
	return name, 1
}

// has reports whether a file has the benchmark.
func (b *bench) has(side int) bool {
	for _, s := range b.samples {
		if len(s[side].values) > 0 {
			return true
		}
	}
	return false
}

// onlyProcessorsDiffer returns the benchmarks that have no number of processors in
// common. A suffix counts as such a number only if all benchmarks of the package
// have the same suffixes, as "/size-8" with one processor ends in a number, too.
func (f *files) onlyProcessorsDiffer() []Processors {
	type key struct{ pkg, base string }
	type numbers [2]map[int]bool
	add := func(of map[key]*numbers, k key, side, n int) {
		if of[k] == nil {
			of[k] = &numbers{{}, {}}
		}
		of[k][side][n] = true
	}
	packages, benches := map[key]*numbers{}, map[key]*numbers{}
	var order []key
	for _, b := range f.benches {
		base, n := processors(b.name)
		k := key{b.pkg, base}
		if benches[k] == nil {
			order = append(order, k)
		}
		for side := range 2 {
			if b.has(side) {
				add(benches, k, side, n)
				add(packages, key{pkg: b.pkg}, side, n)
			}
		}
	}
	var all []Processors
	for _, k := range order {
		own, pkg := benches[k], packages[key{pkg: k.pkg}]
		common := false
		for n := range own[0] {
			common = common || own[1][n]
		}
		if common || len(own[0]) == 0 || len(own[1]) == 0 || !maps.Equal(own[0], pkg[0]) || !maps.Equal(own[1], pkg[1]) {
			continue
		}
		all = append(all, Processors{k.pkg, k.base, slices.Sorted(maps.Keys(own[0])), slices.Sorted(maps.Keys(own[1]))})
	}
	return all
}

// processorGroup holds benchmarks that were measured with the same numbers of
// processors.
type processorGroup struct {
	old, new string
	all      []Processors
}

func groupProcessors(all []Processors) (groups []*processorGroup) {
	for _, p := range all {
		older, newer := numbers(p.Old), numbers(p.New)
		i := slices.IndexFunc(groups, func(g *processorGroup) bool { return g.old == older && g.new == newer })
		if i < 0 {
			groups, i = append(groups, &processorGroup{old: older, new: newer}), len(groups)
		}
		groups[i].all = append(groups[i].all, p)
	}
	return groups
}

func numbers(all []int) string {
	texts := make([]string, len(all))
	for i, n := range all {
		texts[i] = strconv.Itoa(n)
	}
	return strings.Join(texts, ",")
}

// problem describes the difference between the named files.
func (g *processorGroup) problem(older, newer string) string {
	who := clip(g.all[0].Benchmark) + " was"
	if n := len(g.all); n > 1 {
		who = fmt.Sprintf("%s and %d more were", clip(g.all[0].Benchmark), n-1)
	}
	return fmt.Sprintf("only the number of processors differs: %s measured with GOMAXPROCS=%s in %s, but with GOMAXPROCS=%s in %s", who, g.old, older, g.new, newer)
}

func (g *processorGroup) hint() string {
	return "run both with the same GOMAXPROCS, such as go test -cpu " + g.old
}

// ProcessorsDiffer returns a text with a hint for each group of benchmarks that
// differ only in their numbers of processors.
func (v *Outcome) ProcessorsDiffer() (texts []string) {
	for _, g := range groupProcessors(v.Processors) {
		texts = append(texts, g.problem(v.Old, v.New)+"; "+g.hint())
	}
	return texts
}

// processorErrors returns an error for each such group, and the benchmarks in them.
func (f *files) processorErrors(inputs [2]Input) (errs Errors, explained map[*bench]bool) {
	explained = map[*bench]bool{}
	for _, g := range groupProcessors(f.processors) {
		var first position
		for _, b := range f.benches {
			base, _ := processors(b.name)
			if !slices.ContainsFunc(g.all, func(p Processors) bool { return p.Benchmark == base && p.Package == b.pkg }) {
				continue
			}
			explained[b] = true
			for _, s := range b.samples {
				if at := s[0].at; at.line > 0 && (first.line == 0 || at.line < first.line) {
					first = at
				}
			}
		}
		errs = append(errs, &InputError{File: first.file, Line: first.line, Column: 1,
			Problem: g.problem(inputs[0].Name, inputs[1].Name), Hint: g.hint()})
	}
	return errs, explained
}
