package baseline

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"floodgate/mockupstream/strictyaml"
	"floodgate/results"
)

// checker collects the errors of a file.
type checker struct{ errs []error }

func (k *checker) fail(path string, value any, format string, args ...any) {
	wrong := strictyaml.Wrong(value, format, args...)
	wrong.Path = path
	k.errs = append(k.errs, wrong)
}

var (
	hashText = regexp.MustCompile(`^[0-9a-f]{64}$`)
	nameText = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._-]*$`)
)

// maxBlocks bounds the number of blocks in a file.
const maxBlocks = 100_000

// check returns an error for values that no run can have measured.
func (b *Baseline) check() error {
	k := &checker{}
	if b.Schema != Schema {
		k.fail("schema", b.Schema, "must be %d, which this version reads: record a new baseline with \"gate baseline --update\"", Schema)
		return errors.Join(k.errs...)
	}
	for _, t := range []struct {
		path, text string
		form       *regexp.Regexp
		want       string
	}{
		{"scenario", b.Scenario, nameText, "letters, digits, '.', '_' and '-', beginning with a letter or digit"},
		{"run", b.Run, nameText, "a run's ID"},
		{"hash", b.Hash, hashText, "64 hexadecimal digits"},
	} {
		if !t.form.MatchString(t.text) {
			k.fail(t.path, t.text, "must be %s", t.want)
		}
	}
	if _, err := time.Parse(time.DateOnly, b.Recorded); err != nil {
		k.fail("recorded", b.Recorded, "must be a day such as 2026-11-22")
	}
	e, m := b.Environment, b.Machine
	k.oneOf("environment.kind", e.Kind, "embedded", "containers", "external", "kubernetes")
	k.oneOf("environment.sut", e.SUT, "process", "container")
	for _, t := range [][2]string{
		{"revision", b.Revision}, {"environment.database", e.Database}, {"environment.upstream", e.Upstream}, {"machine.cpu", m.CPU},
		{"machine.os", m.OS}, {"machine.arch", m.Arch}, {"machine.kernel", m.Kernel}, {"machine.go", m.Go}, {"reductions_against", b.Reference},
		{"environment.container_limits", e.Limits}, {"environment.profiles", e.Profiles}, {"machine.governor", m.Governor}, {"machine.pinning", m.Pinning},
	} {
		k.printable(t[0], t[1])
	}
	if m.Cores < 1 {
		k.fail("machine.cores", m.Cores, "must be at least 1")
	}
	if m.GOMAXPROCS < 0 {
		k.fail("machine.gomaxprocs", m.GOMAXPROCS, "must be at least 1")
	}
	if !(m.CPUQuota >= 0) || math.IsInf(m.CPUQuota, 0) {
		k.fail("machine.cpu_quota", m.CPUQuota, "must be a number of cores above 0")
	}
	if m.Memory < 0 {
		k.fail("machine.memory_bytes", m.Memory, "must be above 0")
	}
	if m.MemoryLimit < results.NoLimit {
		k.fail("machine.memory_limit_bytes", m.MemoryLimit, "must be above 0, or %d for no limit", results.NoLimit)
	}
	if p := b.Program; p != nil {
		if p.Toolchain+p.CLibrary == "" {
			k.fail("program", "", "must have a toolchain or a c_library")
		}
		k.printable("program.toolchain", p.Toolchain)
		k.printable("program.c_library", p.CLibrary)
	}
	if b.Blocks < 1 || b.Blocks > maxBlocks {
		k.fail("blocks", b.Blocks, "must be 1 to %d", maxBlocks)
	}
	if len(b.Cells) == 0 {
		k.errs = append(k.errs, &strictyaml.Error{Path: "cells", Reason: "must have at least one variant at a level"})
	}
	seen := map[[2]string]bool{}
	for i := range b.Cells {
		c, path := &b.Cells[i], fmt.Sprintf("cells[%d]", i)
		if key := [2]string{c.Variant, c.Level}; seen[key] {
			k.fail(path, c.Variant+" at "+c.Level, "repeats an earlier cell")
		} else {
			seen[key] = true
		}
		k.cell(path, c, b.Blocks)
	}
	if len(k.errs) == 0 { // otherwise lists may differ in length
		k.reductions(b)
	}
	return errors.Join(k.errs...)
}

func (k *checker) oneOf(path, text string, known ...string) {
	if !slices.Contains(known, text) {
		k.fail(path, text, "must be %s", strictyaml.Or(known))
	}
}

func (k *checker) printable(path, text string) {
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		k.fail(path, text, "must be printable text")
	}
}

func (k *checker) cell(path string, c *Cell, blocks int) {
	k.printable(path+".variant", c.Variant)
	k.printable(path+".level", c.Level)
	if c.Variant == "" {
		k.fail(path+".variant", c.Variant, "must be the name of a variant")
	}
	for i, n := range c.Blocks {
		if n < 0 || n >= blocks || i > 0 && n <= c.Blocks[i-1] {
			k.fail(fmt.Sprintf("%s.blocks[%d]", path, i), n, "must be an increasing number from 0 to %d", blocks-1)
		}
	}
	if len(c.ItemsFailed) > 0 {
		k.length(path+".items_failed", len(c.ItemsFailed), len(c.Blocks))
	}
	for i, n := range c.ItemsFailed {
		k.atLeast(fmt.Sprintf("%s.items_failed[%d]", path, i), n, 0)
	}
	for _, s := range series {
		at := path + "." + s.key
		values := *s.list(c)
		if values != nil {
			k.length(at, len(values), len(c.Blocks))
		}
		for i, x := range values {
			if !(x > 0) || math.IsInf(x, 0) {
				k.fail(fmt.Sprintf("%s[%d]", at, i), x, "must be above 0")
			}
		}
	}
	for _, n := range []struct {
		key   string
		value *int
		least int
	}{{"peak_descriptors", c.Peak, 1}, {"predicted_descriptors", c.Predicted, 1}, {"leaked_descriptors", c.Leaked, 0}, {"unfinished_trials", &c.Unfinished, 0}} {
		if n.value != nil {
			k.atLeast(path+"."+n.key, *n.value, n.least)
		}
	}
	if c.Unfinished+len(c.Blocks) > blocks {
		k.fail(path+".unfinished_trials", c.Unfinished, "must be at most %d, as %d of %d trials were measured", blocks-len(c.Blocks), len(c.Blocks), blocks)
	}
	types := map[string]bool{}
	for i, e := range c.Errors {
		at := fmt.Sprintf("%s.errors[%d]", path, i)
		k.printable(at+".type", e.Type)
		if e.Type == "" || types[e.Type] {
			k.fail(at+".type", e.Type, "must be unique among the errors")
		}
		types[e.Type] = true
		k.atLeast(at+".count", e.Count, 1)
	}
	if w := c.Writes; w != nil {
		k.atLeast(path+".writes.checked_trials", w.Checked, 1)
		for _, n := range []struct {
			key string
			n   int
		}{{"lost", w.Lost}, {"duplicate", w.Duplicate}, {"corrupt", w.Corrupt}} {
			if n.n != 0 {
				k.fail(path+".writes."+n.key, n.n, "must be 0: a run with corrupt or lost writes cannot be a baseline")
			}
		}
	}
}

func (k *checker) atLeast(path string, n, least int) {
	if n < least {
		k.fail(path, n, "must be at least %d", least)
	}
}

func (k *checker) length(path string, n, want int) {
	if n != want || n == 0 {
		k.fail(path, n, "must have a value for each of the %d blocks, or be omitted", want)
	}
}

// reductions checks that the reductions follow from the makespans.
func (k *checker) reductions(b *Baseline) {
	for i := range b.Cells {
		c, path := &b.Cells[i], fmt.Sprintf("cells[%d].reduction", i)
		var want *Reduction
		if base := b.cell(b.Reference, c.Level); base != nil && base != c {
			want = reduction(c, base)
		}
		switch {
		case want == nil && c.Reduction != nil:
			k.errs = append(k.errs, &strictyaml.Error{Path: path, Reason: "must be omitted without makespans to derive it from"})
		case want == nil:
		case c.Reduction == nil:
			k.errs = append(k.errs, &strictyaml.Error{Path: path, Reason: fmt.Sprintf("missing; it must be %s, which follows from the makespans", want)})
		case !reflect.DeepEqual(c.Reduction, want):
			k.fail(path, c.Reduction, "must be %s, which follows from the makespans", want)
		}
	}
}

// String formats the reduction, with its interval if it has one: "0.87 [0.86, 0.88]".
func (r *Reduction) String() string {
	if r.Low == nil || r.High == nil {
		return number(r.Estimate)
	}
	return fmt.Sprintf("%s [%s, %s]", number(r.Estimate), number(*r.Low), number(*r.High))
}
