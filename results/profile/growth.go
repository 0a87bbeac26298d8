package profile

import (
	"cmp"
	"slices"
)

// Most is the number of functions in a ranking.
const Most = 10

// Function is how much a function grew.
type Function struct {
	Name string `json:"name"`
	// Flat is the growth of the function itself, and Cumulative also that of those that it
	// called: nanoseconds, bytes or goroutines.
	Flat       int64 `json:"flat"`
	Cumulative int64 `json:"cumulative"`
}

// Ranking holds the functions that grew most, the first one most. Functions that did not
// grow are in neither list.
type Ranking struct {
	Flat       []Function `json:"flat,omitempty"`
	Cumulative []Function `json:"cumulative,omitempty"`
	// Before and After are the sums of both profiles.
	Before int64 `json:"before"`
	After  int64 `json:"after"`
}

// Growth ranks the functions by how much more they have in a profile than in another one of
// the same kind; nil means an empty one.
func Growth(to, from *Profile) Ranking {
	all := map[string]*Function{}
	add(all, to, +1)
	add(all, from, -1)
	var r Ranking
	for _, s := range from.samples() {
		r.Before += s.value
	}
	for _, s := range to.samples() {
		r.After += s.value
	}
	top := func(value func(Function) int64) (list []Function) {
		for _, f := range all {
			if value(*f) > 0 {
				list = append(list, *f)
			}
		}
		slices.SortFunc(list, func(a, b Function) int {
			return cmp.Or(cmp.Compare(value(b), value(a)), cmp.Compare(b.Flat, a.Flat), cmp.Compare(b.Cumulative, a.Cumulative), cmp.Compare(a.Name, b.Name))
		})
		return slices.Clip(list[:min(len(list), Most)])
	}
	r.Flat = top(func(f Function) int64 { return f.Flat })
	r.Cumulative = top(func(f Function) int64 { return f.Cumulative })
	return r
}

// add adds the values of a profile to its functions, times the sign.
func add(all map[string]*Function, p *Profile, sign int64) {
	of := func(name string) *Function {
		if all[name] == nil {
			all[name] = &Function{Name: name}
		}
		return all[name]
	}
	for _, s := range p.samples() {
		of(p.kind.own(s.stack)).Flat += sign * s.value
		seen := map[string]bool{}
		for _, name := range s.stack {
			if !seen[name] { // a recursive function counts once
				of(name).Cumulative += sign * s.value
			}
			seen[name] = true
		}
	}
}

// Frame is a function in the tree of the stacks of a profile.
type Frame struct {
	Name string
	// Value is that of the stacks through it, and Growth how much more that is than in the
	// other profile.
	Value, Growth int64
	// Calls are the functions that it called, the largest one first.
	Calls []*Frame
}

// Tree returns the stacks of a profile as a tree, with their growth since another one of the
// same kind; nil means an empty one. The root stands for all of them.
func Tree(to, from *Profile) *Frame {
	root := &Frame{Name: "all"}
	children := map[*Frame]map[string]*Frame{}
	grow := func(p *Profile, value, growth int64) {
		for _, s := range p.samples() {
			f := root
			f.Value, f.Growth = f.Value+value*s.value, f.Growth+growth*s.value
			for _, name := range s.stack {
				if children[f] == nil {
					children[f] = map[string]*Frame{}
				}
				next := children[f][name]
				if next == nil {
					next = &Frame{Name: name}
					children[f][name] = next
					f.Calls = append(f.Calls, next)
				}
				f = next
				f.Value, f.Growth = f.Value+value*s.value, f.Growth+growth*s.value
			}
		}
	}
	grow(to, 1, 1)
	grow(from, 0, -1)
	root.sort()
	return root
}

func (f *Frame) sort() {
	slices.SortFunc(f.Calls, func(a, b *Frame) int {
		return cmp.Or(cmp.Compare(b.Value, a.Value), cmp.Compare(a.Name, b.Name))
	})
	for _, c := range f.Calls {
		c.sort()
	}
}
