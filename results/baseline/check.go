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
)

// fieldError is what is wrong with a field.
type fieldError struct{ path, problem string }

func (e *fieldError) Error() string { return e.path + ": " + e.problem }

// FieldPath has the file's line found.
func (e *fieldError) FieldPath() string { return e.path }

// missingError is a key that is not there; its place is that of what lacks it.
type missingError struct{ path, parent string }

func (e *missingError) Error() string     { return e.path + ": missing; it must be there" }
func (e *missingError) FieldPath() string { return e.parent }

// missing lists the keys that must be there and are not.
func missing(doc *strictyaml.Document, b *Baseline) error {
	var errs []error
	absent(doc, "", reflect.ValueOf(b).Elem(), &errs)
	return errors.Join(errs...)
}

func absent(doc *strictyaml.Document, path string, v reflect.Value, errs *[]error) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			absent(doc, path, v.Elem(), errs)
		}
	case reflect.Slice:
		for i := range v.Len() {
			absent(doc, fmt.Sprintf("%s[%d]", path, i), v.Index(i), errs)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			name, omit, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
			at := name
			if path != "" {
				at = path + "." + name
			}
			if !doc.Has(at) && omit != "omitempty" {
				*errs = append(*errs, &missingError{at, path})
				continue
			}
			absent(doc, at, v.Field(i), errs)
		}
	}
}

// checker gathers what is wrong.
type checker struct{ errs []error }

func (k *checker) fail(path, format string, args ...any) {
	k.errs = append(k.errs, &fieldError{path, fmt.Sprintf(format, args...)})
}

var (
	hashText = regexp.MustCompile(`^[0-9a-f]{64}$`)
	nameText = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._-]*$`)
)

// maxBlocks bounds what a file may plan.
const maxBlocks = 100_000

// check finds what no run could have measured.
func (b *Baseline) check() error {
	k := &checker{}
	if b.Schema != Schema {
		k.fail("schema", "%d; allowed: %d, which this program reads", b.Schema, Schema)
		return errors.Join(k.errs...)
	}
	for _, t := range []struct {
		path, text string
		form       *regexp.Regexp
		allowed    string
	}{
		{"scenario", b.Scenario, nameText, "letters, digits, '.', '_' and '-', first a letter or digit"},
		{"run", b.Run, nameText, "a run's ID"},
		{"hash", b.Hash, hashText, "64 hexadecimal digits"},
	} {
		if !t.form.MatchString(t.text) {
			k.fail(t.path, "%q; allowed: %s", t.text, t.allowed)
		}
	}
	if _, err := time.Parse(time.DateOnly, b.Recorded); err != nil {
		k.fail("recorded", "%q; allowed: a day such as 2026-11-22", b.Recorded)
	}
	e, m := b.Environment, b.Machine
	k.oneOf("environment.kind", e.Kind, "embedded", "containers", "external")
	k.oneOf("environment.sut", e.SUT, "process", "container")
	for _, t := range [][2]string{
		{"revision", b.Revision}, {"environment.database", e.Database}, {"environment.upstream", e.Upstream}, {"machine.cpu", m.CPU},
		{"machine.os", m.OS}, {"machine.arch", m.Arch}, {"machine.kernel", m.Kernel}, {"machine.go", m.Go}, {"reductions_against", b.Against},
	} {
		k.printable(t[0], t[1])
	}
	if m.Cores < 1 {
		k.fail("machine.cores", "%d; allowed: 1 or more", m.Cores)
	}
	if m.GOMAXPROCS < 0 {
		k.fail("machine.gomaxprocs", "must be at least 1 (got %d)", m.GOMAXPROCS)
	}
	if !(m.CPUQuota >= 0) || math.IsInf(m.CPUQuota, 0) {
		k.fail("machine.cpu_quota", "must be a number of cores above 0 (got %v)", m.CPUQuota)
	}
	if b.Blocks < 1 || b.Blocks > maxBlocks {
		k.fail("blocks", "%d; allowed: 1 to %d", b.Blocks, maxBlocks)
	}
	if len(b.Cells) == 0 {
		k.fail("cells", "none; allowed: a variant at a level, or more")
	}
	seen := map[[2]string]bool{}
	for i := range b.Cells {
		c, path := &b.Cells[i], fmt.Sprintf("cells[%d]", i)
		if key := [2]string{c.Variant, c.Level}; seen[key] {
			k.fail(path, "%s at %s a second time; allowed: once", c.Variant, c.Level)
		} else {
			seen[key] = true
		}
		k.cell(path, c, b.Blocks)
	}
	if len(k.errs) == 0 { // else lists may not fit
		k.reductions(b)
	}
	return errors.Join(k.errs...)
}

func (k *checker) oneOf(path, text string, allowed ...string) {
	if !slices.Contains(allowed, text) {
		k.fail(path, "%q; allowed: %s", text, strings.Join(allowed, ", "))
	}
}

func (k *checker) printable(path, text string) {
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		k.fail(path, "%q; allowed: printable text", text)
	}
}

func (k *checker) cell(path string, c *Cell, blocks int) {
	k.printable(path+".variant", c.Variant)
	k.printable(path+".level", c.Level)
	if c.Variant == "" {
		k.fail(path+".variant", "empty; allowed: a variant's name")
	}
	for i, n := range c.Blocks {
		if n < 0 || n >= blocks || i > 0 && n <= c.Blocks[i-1] {
			k.fail(fmt.Sprintf("%s.blocks[%d]", path, i), "%d; allowed: rising numbers from 0 to %d", n, blocks-1)
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
				k.fail(fmt.Sprintf("%s[%d]", at, i), "%v; allowed: above 0", x)
			}
		}
	}
	for _, n := range []struct {
		key   string
		value *int
		least int
	}{{"peak_descriptors", c.Peak, 1}, {"predicted_descriptors", c.Predicted, 1}, {"left_descriptors", c.Left, 0}, {"unfinished_trials", &c.Unfinished, 0}} {
		if n.value != nil {
			k.atLeast(path+"."+n.key, *n.value, n.least)
		}
	}
	if c.Unfinished+len(c.Blocks) > blocks {
		k.fail(path+".unfinished_trials", "%d beside %d measured; allowed: %d trials in all", c.Unfinished, len(c.Blocks), blocks)
	}
	types := map[string]bool{}
	for i, e := range c.Errors {
		at := fmt.Sprintf("%s.errors[%d]", path, i)
		k.printable(at+".type", e.Type)
		if e.Type == "" || types[e.Type] {
			k.fail(at+".type", "%q; allowed: each type once", e.Type)
		}
		types[e.Type] = true
		k.atLeast(at+".count", e.Count, 1)
	}
	if w := c.Writes; w != nil {
		k.atLeast(path+".writes.checked_trials", w.Checked, 1)
		for _, n := range []struct {
			key string
			n   int
		}{{"lost", w.Lost}, {"duplicate", w.Duplicate}, {"wrong", w.Wrong}} {
			if n.n != 0 {
				k.fail(path+".writes."+n.key, "%d; allowed: 0, as no run that broke writes is a baseline", n.n)
			}
		}
	}
}

func (k *checker) atLeast(path string, n, least int) {
	if n < least {
		k.fail(path, "%d; allowed: %d or more", n, least)
	}
}

func (k *checker) length(path string, n, want int) {
	if n != want || n == 0 {
		k.fail(path, "%d values; allowed: one for each of the %d blocks, or no such key", n, want)
	}
}

// reductions must follow from the makespans.
func (k *checker) reductions(b *Baseline) {
	for i := range b.Cells {
		c, path := &b.Cells[i], fmt.Sprintf("cells[%d].reduction", i)
		var want *Reduction
		if base := b.cell(b.Against, c.Level); base != nil && base != c {
			want = reduction(c, base)
		}
		switch {
		case want == nil && c.Reduction != nil:
			k.fail(path, "no makespans that it could be of; allowed: no such key")
		case want == nil:
		case c.Reduction == nil:
			k.fail(path, "missing; allowed: %s, as the makespans say", want)
		case !reflect.DeepEqual(c.Reduction, want):
			k.fail(path, "%s; allowed: %s, as the makespans say", c.Reduction, want)
		}
	}
}

// String is as in the file.
func (r *Reduction) String() string {
	if r.Low == nil || r.High == nil {
		return number(r.Estimate)
	}
	return fmt.Sprintf("%s [%s, %s]", number(r.Estimate), number(*r.Low), number(*r.High))
}
