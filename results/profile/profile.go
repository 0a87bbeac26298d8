// Package profile reads, merges and compares the profiles of a program under test. They are
// in pprof's format, which "go tool pprof" reads:
//
//	before, err := profile.Clean(profile.Goroutine, first) // as a server of net/http/pprof answered
//	peak, err := profile.Clean(profile.Goroutine, second)
//	for _, f := range profile.Growth(peak, before).Flat {
//		fmt.Println(f.Flat, f.Cumulative, f.Name) // 480 480 main.(*server).wait
//	}
//
// [Clean] keeps stacks and their values only: no labels, no comments and no path of the
// program or of its sources, any of which may hold what a user wants to keep to himself.
package profile

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"

	"floodgate/results/text"
)

// The kinds of profiles.
const (
	CPU       = "cpu"       // time on a core
	Heap      = "heap"      // memory in use
	Goroutine = "goroutine" // goroutines
	Mutex     = "mutex"     // time for which others waited for a lock, by who held it
)

// MaxBytes bounds a profile, packed and unpacked.
const MaxBytes = 64 << 20

// kind describes a kind of profile.
type kind struct {
	name   string
	sample string // the type of the samples that count
	unit   string // of these
	// waits means that the leaves of its stacks are the functions of the runtime that wait.
	waits bool
}

var kinds = []kind{
	{CPU, "cpu", "nanoseconds", false},
	{Heap, "inuse_space", "bytes", false},
	{Goroutine, "goroutine", "count", true},
	{Mutex, "delay", "nanoseconds", true},
}

// Kinds returns the names of the kinds.
func Kinds() (names []string) {
	for _, k := range kinds {
		names = append(names, k.name)
	}
	return names
}

func kindOf(name string) (kind, error) {
	for _, k := range kinds {
		if k.name == name {
			return k, nil
		}
	}
	return kind{}, fmt.Errorf("unknown kind of profile %q", name)
}

// Instant reports whether a profile of the kind shows a moment, or all since the start of
// the program, rather than a window of time.
func Instant(kind string) bool { return kind != CPU }

// Format formats a value of a profile of the kind: "1.20 s", "3.4 MiB" or "480".
func Format(kind string, value int64) string {
	switch kind {
	case CPU, Mutex:
		return text.Duration(time.Duration(value))
	case Heap:
		if value < 0 {
			return "-" + text.Bytes(-value)
		}
		return text.Bytes(value)
	}
	return text.Count(value)
}

// Profile is a cleaned profile.
type Profile struct {
	kind   kind
	packed *profile.Profile
	at     int // the index of the values that count
}

// Kind returns the kind.
func (p *Profile) Kind() string { return p.kind.name }

// Clean reads a profile of a kind as a server answered it.
func Clean(kind string, source []byte) (*Profile, error) {
	k, err := kindOf(kind)
	if err != nil {
		return nil, err
	}
	if source, err = unpack(source); err != nil {
		return nil, err
	}
	raw, err := profile.ParseUncompressed(source)
	if err == nil {
		err = raw.CheckValid()
	}
	if err != nil {
		return nil, fmt.Errorf("not a profile in pprof's format: %w", err)
	}
	return clean(k, raw)
}

// unpack returns the content of a gzip file, or the source if it is none.
func unpack(source []byte) ([]byte, error) {
	tooLarge := fmt.Errorf("the profile is larger than %d MiB", MaxBytes>>20)
	if len(source) > MaxBytes {
		return nil, tooLarge
	}
	if !bytes.HasPrefix(source, []byte{0x1f, 0x8b}) {
		return source, nil
	}
	r, err := gzip.NewReader(bytes.NewReader(source))
	if err == nil {
		source, err = io.ReadAll(io.LimitReader(r, MaxBytes+1))
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("unpack the profile: %w", err)
	case len(source) > MaxBytes:
		return nil, tooLarge
	}
	return source, nil
}

// clean removes everything but the stacks and their values.
func clean(k kind, p *profile.Profile) (*Profile, error) {
	at := slices.IndexFunc(p.SampleType, func(t *profile.ValueType) bool { return t.Type == k.sample })
	if at < 0 {
		return nil, fmt.Errorf("not a %s profile: it has no samples of type %s", k.name, k.sample)
	}
	if unit := p.SampleType[at].Unit; unit != k.unit {
		return nil, fmt.Errorf("not a %s profile: its samples are in %q, not in %s", k.name, unit, k.unit)
	}
	if len(p.Sample) > 0 && len(p.Function) == 0 {
		return nil, errors.New("the profile has no names of functions")
	}
	for _, s := range p.Sample {
		s.Label, s.NumLabel, s.NumUnit = nil, nil, nil
	}
	if err := p.Aggregate(true, true, true, true, false, false); err != nil {
		return nil, fmt.Errorf("read the profile: %w", err)
	}
	for _, l := range p.Location {
		l.Mapping, l.Address = nil, 0
	}
	for _, f := range p.Function {
		f.SystemName, f.Filename = f.Name, short(f.Filename)
	}
	p.Mapping, p.Comments, p.DocURL, p.DropFrames, p.KeepFrames = nil, nil, "", "", ""
	return merged(k, at, p)
}

// short returns the last two elements of the path of a source file.
func short(file string) string {
	file = strings.ReplaceAll(file, `\`, "/")
	dir, base := path.Split(file)
	if dir = path.Base(dir); dir == "." || dir == "/" {
		return base
	}
	return dir + "/" + base
}

// merged merges profiles of a kind whose values at the index count, so that each stack
// occurs once.
func merged(k kind, at int, all ...*profile.Profile) (*Profile, error) {
	sum, err := profile.Merge(all)
	if err != nil {
		return nil, err
	}
	return &Profile{k, sum, at}, nil
}

// Merge adds up profiles of the same kind. There must be at least one.
func Merge(all ...*Profile) (*Profile, error) {
	var sources []*profile.Profile
	for _, p := range all {
		if p.kind != all[0].kind {
			return nil, fmt.Errorf("merge profiles: one is of %s, another of %s", all[0].kind.name, p.kind.name)
		}
		sources = append(sources, p.packed)
	}
	if len(all) == 0 {
		return nil, errors.New("merge profiles: there is none")
	}
	sum, err := merged(all[0].kind, all[0].at, sources...)
	if err != nil {
		return nil, fmt.Errorf("merge profiles of %s: %w", all[0].kind.name, err)
	}
	return sum, nil
}

// Mean returns the profile with its values divided by n, the number of those that it was
// merged from.
func (p *Profile) Mean(n int) *Profile {
	mean := p.packed.Copy()
	for _, s := range mean.Sample {
		for i, v := range s.Value {
			s.Value[i] = (v + int64(n)/2) / int64(n)
		}
	}
	return &Profile{p.kind, mean, p.at}
}

// Bytes returns the profile as a file.
func (p *Profile) Bytes() ([]byte, error) {
	var out bytes.Buffer
	if err := p.packed.Write(&out); err != nil {
		return nil, fmt.Errorf("write the %s profile: %w", p.kind.name, err)
	}
	return out.Bytes(), nil
}

// Total returns the sum of its values.
func (p *Profile) Total() (sum int64) {
	for _, s := range p.samples() {
		sum += s.value
	}
	return sum
}

// sample is a stack from the outermost function to the innermost one.
type sample struct {
	stack []string
	value int64
}

// samples returns the samples; nil means that there is no profile.
func (p *Profile) samples() []sample {
	if p == nil {
		return nil
	}
	all := make([]sample, 0, len(p.packed.Sample))
	for _, s := range p.packed.Sample {
		var stack []string
		for _, l := range slices.Backward(s.Location) {
			for _, line := range slices.Backward(l.Line) { // the last one is the caller
				stack = append(stack, nameOf(line))
			}
			if len(l.Line) == 0 {
				stack = append(stack, unknown)
			}
		}
		all = append(all, sample{stack, s.Value[p.at]})
	}
	return all
}

// unknown is the name of a function without one, such as of a library in C.
const unknown = "unknown"

func nameOf(line profile.Line) string {
	if line.Function == nil {
		return unknown
	}
	return cmp.Or(line.Function.Name, unknown)
}

// own returns the function to which the value of a stack belongs: its innermost one or, where
// stacks end in the runtime that waits, the innermost one that called into it.
func (k kind) own(stack []string) string {
	if len(stack) == 0 {
		return unknown
	}
	if k.waits {
		for _, name := range slices.Backward(stack) {
			if !waiting(name) {
				return name
			}
		}
	}
	return stack[len(stack)-1]
}

// waiting reports whether a function belongs to the packages through which Go programs wait.
func waiting(name string) bool {
	for _, prefix := range []string{"runtime.", "runtime/", "sync.", "sync/", "internal/", "syscall."} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
