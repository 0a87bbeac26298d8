package profile_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"

	pb "github.com/google/pprof/profile"
	"pgregory.net/rapid"

	"floodgate/results/profile"
)

// stack is a stack from the outermost function to the innermost one, with its value.
type stack struct {
	value     int64
	functions []string
}

// types are the types of samples of the kinds.
var types = map[string][]*pb.ValueType{
	profile.CPU:       {{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
	profile.Heap:      {{Type: "inuse_objects", Unit: "count"}, {Type: "inuse_space", Unit: "bytes"}},
	profile.Goroutine: {{Type: "goroutine", Unit: "count"}},
	profile.Mutex:     {{Type: "contentions", Unit: "count"}, {Type: "delay", Unit: "nanoseconds"}},
}

// source returns a profile as a server answers it, with everything that must not be stored.
func source(t testing.TB, kind string, stacks ...stack) []byte {
	t.Helper()
	p := &pb.Profile{SampleType: types[kind], PeriodType: types[kind][0], Period: 1, Comments: []string{"argv -password s3cret"}, DocURL: "https://s3cret.example"}
	p.Mapping = []*pb.Mapping{{ID: 1, Start: 1, Limit: 1 << 30, File: "/home/s3cret/bin/app", BuildID: "s3cret"}}
	functions := map[string]*pb.Location{}
	for _, s := range stacks {
		sample := &pb.Sample{Label: map[string][]string{"authorization": {"Bearer s3cret"}}, NumLabel: map[string][]int64{"bytes": {8}}}
		for _, name := range slices.Backward(s.functions) {
			l := functions[name]
			if l == nil {
				id := uint64(len(functions) + 1)
				f := &pb.Function{ID: id, Name: name, SystemName: name, Filename: "/home/s3cret/src/app/main.go", StartLine: 3}
				l = &pb.Location{ID: id, Address: id, Mapping: p.Mapping[0], Line: []pb.Line{{Function: f, Line: 7}}}
				functions[name] = l
				p.Function, p.Location = append(p.Function, f), append(p.Location, l)
			}
			sample.Location = append(sample.Location, l)
		}
		for range len(p.SampleType) - 1 {
			sample.Value = append(sample.Value, 1)
		}
		sample.Value = append(sample.Value, s.value)
		p.Sample = append(p.Sample, sample)
	}
	var out bytes.Buffer
	if err := p.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func clean(t testing.TB, kind string, stacks ...stack) *profile.Profile {
	t.Helper()
	p, err := profile.Clean(kind, source(t, kind, stacks...))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A stored profile holds stacks and values only.
func TestClean(t *testing.T) {
	for _, kind := range profile.Kinds() {
		p := clean(t, kind, stack{5, []string{"main.main", "main.work"}}, stack{2, []string{"main.main", "main.work"}})
		stored, err := p.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		r, err := gzip.NewReader(bytes.NewReader(stored))
		if err != nil {
			t.Fatal(err)
		}
		var plain bytes.Buffer
		if _, err := plain.ReadFrom(r); err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"s3cret", "authorization", "argv", "/home"} {
			if strings.Contains(plain.String(), secret) {
				t.Errorf("%s: %q is stored", kind, secret)
			}
		}
		again, err := profile.Clean(kind, stored)
		if err != nil {
			t.Fatal(err)
		}
		if again.Total() != 7 || p.Total() != 7 {
			t.Errorf("%s: totals %d and %d, want 7", kind, p.Total(), again.Total())
		}
		read, err := pb.ParseData(stored)
		if err != nil || len(read.Sample) != 1 || read.Function[0].Filename != "app/main.go" {
			t.Errorf("%s: %v, %v", kind, read, err)
		}
	}
}

// What is no profile of the kind is refused.
func TestCleanRefuses(t *testing.T) {
	unnamed := source(t, profile.CPU)
	huge := func() []byte {
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		zeros := make([]byte, 1<<20)
		for range profile.MaxBytes>>20 + 1 {
			_, _ = w.Write(zeros) // in memory
		}
		_ = w.Close()
		return out.Bytes()
	}()
	for name, c := range map[string]struct {
		kind   string
		source []byte
		want   string
	}{
		"a page":        {profile.CPU, []byte("<html>hello</html>"), "not a profile in pprof's format"},
		"nothing":       {profile.CPU, nil, "not a profile in pprof's format"},
		"another kind":  {profile.Heap, unnamed, "not a heap profile: it has no samples of type inuse_space"},
		"cut off":       {profile.CPU, unnamed[:len(unnamed)-9], "unpack the profile"},
		"a bomb":        {profile.CPU, huge, "larger than 64 MiB"},
		"no such kind":  {"block", unnamed, `unknown kind of profile "block"`},
		"not only gzip": {profile.CPU, []byte{0x1f, 0x8b, 1}, "unpack the profile"},
	} {
		if _, err := profile.Clean(c.kind, c.source); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// A function that became hot is the first one, and its callers grew with it.
func TestGrowth(t *testing.T) {
	a := clean(t, profile.CPU, stack{100, []string{"main.main", "main.work"}}, stack{50, []string{"main.main", "main.parse"}})
	b := clean(t, profile.CPU, stack{110, []string{"main.main", "main.work"}}, stack{20, []string{"main.main", "main.parse"}},
		stack{300, []string{"main.main", "main.work", "main.hot"}}, stack{4, []string{"main.main", "main.work", "main.work"}})
	r := profile.Growth(b, a)
	if r.Before != 150 || r.After != 434 {
		t.Errorf("from %d to %d", r.Before, r.After)
	}
	if got, want := fmt.Sprint(r.Flat), "[{main.hot 300 300} {main.work 14 314}]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := fmt.Sprint(r.Cumulative), "[{main.work 14 314} {main.hot 300 300} {main.main 0 284}]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if same := profile.Growth(b, b); same.Flat != nil || same.Cumulative != nil {
		t.Errorf("the same profile grew: %v", same)
	}
}

// Goroutines belong to the function that called into the runtime.
func TestWaiting(t *testing.T) {
	p := clean(t, profile.Goroutine, stack{480, []string{"main.main", "main.leak", "runtime.chanrecv1", "runtime.gopark"}},
		stack{3, []string{"main.main", "sync.(*WaitGroup).Wait", "runtime.gopark"}}, stack{1, []string{"runtime.goexit"}})
	if got, want := fmt.Sprint(profile.Growth(p, nil).Flat), "[{main.leak 480 480} {main.main 3 483} {runtime.goexit 1 1}]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Go's own profiles are read.
func TestOwnGoroutines(t *testing.T) {
	const n = 37
	release := make(chan struct{})
	started := make(chan struct{}, n)
	for range n {
		go planted(started, release)
	}
	for range n {
		<-started
	}
	defer close(release)
	var out bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&out, 0); err != nil {
		t.Fatal(err)
	}
	p, err := profile.Clean(profile.Goroutine, out.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	first := profile.Growth(p, nil).Flat[0]
	if !strings.HasSuffix(first.Name, ".planted") || first.Flat != n {
		t.Errorf("first is %+v", first)
	}
}

func planted(started chan<- struct{}, release <-chan struct{}) {
	started <- struct{}{}
	<-release
}

func stacks(t *rapid.T, label string) []stack {
	name := rapid.SampledFrom([]string{"main.main", "main.a", "main.b", "runtime.gopark", "main.c"})
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) stack {
		return stack{rapid.Int64Range(1, 1000).Draw(t, "value"), rapid.SliceOfN(name, 1, 5).Draw(t, "functions")}
	}), 0, 6).Draw(t, label)
}

// Merging adds up, whatever the order, and a difference is that of the sums: every function
// has in the merged profile the sum of what it has in the parts.
func TestMergeAndGrowth(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		kind := rapid.SampledFrom(profile.Kinds()).Draw(rt, "kind")
		x, y := stacks(rt, "x"), stacks(rt, "y")
		a, b := clean(t, kind, x...), clean(t, kind, y...)
		ab, err := profile.Merge(a, b)
		if err != nil {
			rt.Fatal(err)
		}
		ba, err := profile.Merge(b, a)
		if err != nil {
			rt.Fatal(err)
		}
		all := clean(t, kind, append(slices.Clone(x), y...)...)
		if ab.Total() != a.Total()+b.Total() {
			rt.Errorf("total %d of %d and %d", ab.Total(), a.Total(), b.Total())
		}
		for _, same := range [][2]*profile.Profile{{ab, ba}, {ab, all}} {
			if r := profile.Growth(same[0], same[1]); r.Flat != nil || r.Cumulative != nil || r.Before != r.After {
				rt.Errorf("not the same: %+v", r)
			}
		}
		of := func(r profile.Ranking) map[string]profile.Function {
			m := map[string]profile.Function{}
			for _, f := range append(r.Flat, r.Cumulative...) {
				m[f.Name] = f
			}
			return m
		}
		if grown, added := of(profile.Growth(ab, a)), of(profile.Growth(b, nil)); fmt.Sprint(grown) != fmt.Sprint(added) {
			rt.Errorf("a+b−a is %v, b is %v", grown, added)
		}
		if tree := profile.Tree(ab, a); tree.Value != ab.Total() || tree.Growth != b.Total() {
			rt.Errorf("the tree has %d and grew by %d", tree.Value, tree.Growth)
		}
		stored, err := ab.Bytes()
		if err != nil {
			rt.Fatal(err)
		}
		read, err := profile.Clean(kind, stored)
		if err != nil {
			rt.Fatal(err)
		}
		if r := profile.Growth(read, ab); r.Flat != nil || r.Before != r.After {
			rt.Errorf("stored and read it differs: %+v", r)
		}
		mean := mustMerge(rt, ab, ab, ab).Mean(3)
		if r := profile.Growth(mean, ab); r.Flat != nil || r.Before != r.After {
			rt.Errorf("the mean of equal ones differs: %+v", r)
		}
	})
}

func mustMerge(t *rapid.T, all ...*profile.Profile) *profile.Profile {
	p, err := profile.Merge(all...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestMergeRefuses(t *testing.T) {
	if _, err := profile.Merge(clean(t, profile.CPU), clean(t, profile.Heap)); err == nil {
		t.Error("profiles of two kinds were merged")
	}
	if _, err := profile.Merge(); err == nil {
		t.Error("nothing was merged")
	}
}

func FuzzClean(f *testing.F) {
	for _, kind := range profile.Kinds() {
		f.Add(kind, source(f, kind, stack{5, []string{"main.main", "main.work"}}))
	}
	f.Fuzz(func(t *testing.T, kind string, source []byte) {
		p, err := profile.Clean(kind, source)
		if err != nil {
			return
		}
		stored, err := p.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := profile.Clean(kind, stored); err != nil {
			t.Fatalf("a stored profile cannot be read: %v", err)
		}
		profile.Growth(p, nil)
		profile.Tree(p, nil)
	})
}
