package trace

import (
	"slices"
	"time"
)

// Part is a section of a trace's time, named after the span that it was spent in.
type Part struct {
	Name string
	Took time.Duration
}

// Before and After name the parts of a request before and after the item that its service
// completed last.
const (
	Before = "before the item"
	After  = "after the item"
)

// PartNames returns the names of all parts, in the order in which they follow each other.
func PartNames() []string {
	return []string{Late, Connect, Before, Queue, Fetch, Handoff, PoolWait, Write, After, FirstByte, Body}
}

// Timeline divides the time of a trace into parts that follow each other: the stages of an
// item; or those of a request, which are the stages of the item that ended last if the trace
// has the items. The sum of the parts is the duration of the root, but for time that no span
// covers.
func (t Trace) Timeline() []Part {
	root := t.Root()
	if root.Name == Item {
		return t.partsOf(root)
	}
	last := t.lastItem()
	if last.ID == (SpanID{}) {
		return t.partsOf(root)
	}
	var parts []Part
	from := root.Start
	for _, s := range t.children(root) {
		if s.Name == Late || s.Name == Connect {
			parts = append(parts, Part{s.Name, s.Duration()})
			from = s.End
		}
	}
	parts = append(parts, Part{Before, max(time.Duration(last.Start-from), 0)})
	parts = append(parts, t.partsOf(last)...)
	return append(parts, Part{After, time.Duration(root.End - last.End)})
}

// lastItem returns the item that ended last, or the zero Span.
func (t Trace) lastItem() (last Span) {
	for _, s := range t.Spans {
		if s.Name == Item && s.End > last.End {
			last = s
		}
	}
	return last
}

// children returns the spans directly below one, by their start.
func (t Trace) children(of Span) (all []Span) {
	for _, s := range t.Spans {
		if s.Parent == of.ID {
			all = append(all, s)
		}
	}
	slices.SortStableFunc(all, func(a, b Span) int { return int(min(max(a.Start-b.Start, -1), 1)) })
	return all
}

// partsOf returns the spans directly below one that are parts.
func (t Trace) partsOf(span Span) (parts []Part) {
	for _, s := range t.children(span) {
		if slices.Contains(PartNames(), s.Name) {
			parts = append(parts, Part{s.Name, s.Duration()})
		}
	}
	return parts
}
