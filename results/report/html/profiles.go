package html

import (
	"encoding/base64"
	"fmt"
	"html/template"
	"strings"

	"floodgate/results/profile"
	"floodgate/results/report/content"
	"floodgate/results/report/html/chart"
	"floodgate/results/text"
)

// Bounds on the profiles of a page: the pictures of kinds of variants, and the bytes of each
// file in the page and of all of them.
const (
	maxProfiles     = 8
	maxProfileFile  = 80_000
	maxProfileFiles = 250_000
)

// profiles draws the functions that grew most, and the stacks.
func (p *pictures) profiles(groups []profile.Group) section {
	s := section{ID: "profiles", Title: "Profiles", Detail: "The functions that grew most from before the work to its worst moment, and the stacks then: the mean of a trial. Profiles of CPU time begin at zero. "}
	if groups[0].Compared() {
		s.Detail = "The functions that grew most from A to B, and the stacks of B: the mean of a trial. "
	}
	s.Detail += "The growth of a function in itself excludes that of the functions that it called, which is that of its calls. A + marks a frame that grew by a tenth or more of its size, a − one that shrank."
	var missing []string
	drawn := 0
	for _, g := range groups {
		title := withLevel(fmt.Sprintf("%s, %s", g.Kind, g.Variant), g.Level)
		switch {
		case g.Error != "":
			missing = append(missing, title+": "+g.Error)
			continue
		case drawn == maxProfiles:
			p.leftOut++
			continue
		case len(g.Flat) == 0:
			missing = append(missing, title+": no function grew")
		}
		drawn++
		p.functions(&s.Figures, g, title)
		p.flame(&s.Figures, g, title)
	}
	if p.leftOut > 0 {
		missing = append(missing, fmt.Sprintf("%s omitted for lack of space; the files have them", text.Plural(p.leftOut, "picture was", "pictures were")))
		p.leftOut = 0
	}
	s.None = strings.Join(missing, "; ")
	return s
}

// functions draws those that grew most in themselves; the numbers also have those that grew
// most with their calls.
func (p *pictures) functions(to *[]picture, g profile.Group, title string) {
	if len(g.Flat) == 0 {
		return
	}
	f := picture{
		Detail: fmt.Sprintf("From %s to %s%s.", profile.Format(g.Kind, g.Before), profile.Format(g.Kind, g.After), content.Invalid(g)),
		Head:   []string{"rank by", "function", "in itself", "with its calls"},
	}
	rows := chart.Rows{
		Title: "Growth, " + title, Text: "The functions that grew most, each with the growth of itself and that of its calls.",
		Value: chart.Axis{Format: func(v float64) string {
			if g.Kind == profile.Goroutine { // ticks may lie between whole numbers
				return text.Value(v)
			}
			return profile.Format(g.Kind, int64(v))
		}},
		Parts: []string{"in itself", "its calls"},
	}
	for i, fn := range g.Flat {
		own, with := content.Grown(g.Kind, fn.Flat), content.Grown(g.Kind, fn.Cumulative)
		rows.Rows = append(rows.Rows, chart.Row{
			Name: shortName(fn.Name), Text: own,
			Parts: []chart.Mark{{At: float64(fn.Flat), Text: fn.Name + ": " + own + " in itself"}, {At: float64(max(fn.Cumulative-fn.Flat, 0)), Text: fn.Name + ": " + with + " with its calls"}},
		})
		f.Rows = append(f.Rows, []string{fmt.Sprintf("itself %d", i+1), fn.Name, own, with})
	}
	for i, fn := range g.Cumulative {
		f.Rows = append(f.Rows, []string{fmt.Sprintf("with calls %d", i+1), fn.Name, content.Grown(g.Kind, fn.Flat), content.Grown(g.Kind, fn.Cumulative)})
	}
	p.addRows(to, rows, f)
}

// shortName returns the end of a name that fits beside a chart.
func shortName(name string) string {
	const most = 42
	runes := []rune(content.ShortFunction(name))
	if len(runes) > most {
		return "…" + string(runes[len(runes)-most+1:])
	}
	return string(runes)
}

// flame draws the stacks as a flame graph.
func (p *pictures) flame(to *[]picture, g profile.Group, title string) {
	tree := profile.Tree(g.To, g.From)
	if tree.Value <= 0 {
		return
	}
	graph := chart.Flame{
		Title: "Stacks, " + title, Text: "A flame graph: each function stands below the one that called it, as wide as its share.",
		Root: frameOf(g, tree, float64(tree.Value)/fullWidth, 0),
	}
	f := picture{Title: graph.Title}
	graph.Width = fullWidth
	f.Wide = graph.SVG()
	graph.Width = phoneWidth
	f.Narrow = graph.SVG()
	p.keep(to, f)
}

// frameDepth bounds the depth of the frames that are converted.
const frameDepth = 40

// frameOf converts a frame with those below it that have at least a value.
func frameOf(g profile.Group, f *profile.Frame, least float64, depth int) chart.Frame {
	words := fmt.Sprintf("%s: %s", f.Name, profile.Format(g.Kind, f.Value))
	frame := chart.Frame{Name: content.ShortFunction(f.Name), Value: float64(f.Value)}
	if g.From != nil {
		frame.Growth = float64(f.Growth) / float64(max(f.Value, 1))
		words += ", " + content.Grown(g.Kind, f.Growth)
	}
	frame.Text = words
	for _, c := range f.Calls {
		if float64(c.Value) >= least && depth < frameDepth {
			frame.Calls = append(frame.Calls, frameOf(g, c, least, depth+1))
		}
	}
	return frame
}

// profileDownloads returns the merged profiles, as far as there is room.
func profileDownloads(run string, groups []profile.Group) (all []download, err error) {
	total := 0
	for i, g := range groups {
		if g.To == nil {
			continue
		}
		file, err := g.To.Bytes()
		if err != nil {
			return nil, err
		}
		words := base64.StdEncoding.EncodeToString(file)
		if len(words) > maxProfileFile || total+len(words) > maxProfileFiles {
			continue
		}
		total += len(words)
		all = append(all, download{
			Name:   fmt.Sprintf("%s.%d-%s.pb.gz", run, i+1, g.Kind),
			Detail: fmt.Sprintf("the %s profile of %s at %s, the mean of %s, for go tool pprof", g.Kind, g.Variant, g.Level, text.Plural(g.Trials, "trial", "trials")),
			Href:   template.URL("data:application/gzip;base64," + words), // base64 has no character of meaning
		})
	}
	return all, nil
}
