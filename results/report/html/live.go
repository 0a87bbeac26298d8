package html

import (
	"bytes"
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"time"

	"floodgate/results/report/html/chart"
	"floodgate/results/text"
)

// Live is the state of a run in progress, which is drawn like a finished one. See the
// example of [LivePage].
type Live struct {
	// Title is the scenario's name with its title, and Run the ID of the run.
	Title, Run string
	// Summary has the lines that a terminal shows, and Notes are messages for a person.
	Summary string
	Notes   []string
	// Unit names what arrives at a service: "report" or "request". Empty means that the
	// program processes its items once.
	Unit string
	// Trial names the trial of Samples, which are the states of a service by time, and
	// NoFile the limit of its descriptors; zero means unknown.
	Trial   string
	Samples []LiveSample
	NoFile  int
	// Variants are the names of the variants, and Trials the trials that ended, in order.
	Variants []string
	Trials   []LiveTrial
}

// LiveSample is the state of a service at one moment of its trial.
type LiveSample struct {
	At time.Duration
	// DueRate and DoneRate are the arrivals and completions per second.
	DueRate, DoneRate float64
	// P50 and P99 are quantiles of the recent response times; zero means that none ended.
	P50, P99 time.Duration
	// Descriptors are open, and Parts are those to each endpoint, or of each kind; nil
	// means unknown.
	Descriptors int
	Parts       []LivePart
	// InFlight counts the reports or requests in progress, and Items the items of reports.
	// The other figures are those of the built-in service, or zero.
	InFlight, Items, Fetching, Writing, Tasks, Slots int
}

// LivePart is a part of the open descriptors.
type LivePart struct {
	Name  string
	Count int
}

// LiveTrial is a trial that has ended. Zero figures are unknown.
type LiveTrial struct {
	// Number counts from 1, and Variant is an index of Live.Variants.
	Number, Variant int
	Level           string
	// Makespan and Items, which were done, are those of a program that processes its items
	// once. P99 is that of an item, or of the response time of a service.
	Makespan, P99 time.Duration
	Items         int
	// Descriptors is the highest number of open descriptors, and InFlight that of requests
	// at the upstream.
	Descriptors, InFlight int
}

// livePage holds the data of the template: the whole page, or the part that changes.
type livePage struct {
	*Live
	Sections []section
	Nonce    string
	Fragment template.HTML
}

// Style returns that of a report.
func (livePage) Style() (template.CSS, error) { return page{}.Style() }

// LivePage returns the page that follows a run: it shows the fragment, and replaces it by
// those that the event stream at the relative address "events" sends. The page's style and
// script carry the nonce, for a policy that allows nothing else.
func LivePage(fragment []byte, nonce string) ([]byte, error) {
	return livePage{Nonce: nonce, Fragment: template.HTML(fragment)}.render("live.tmpl") // which is our own
}

// Fragment draws the state.
func (l *Live) Fragment() ([]byte, error) {
	text, err := livePage{Live: l, Sections: l.sections()}.render("live")
	if err != nil {
		return nil, fmt.Errorf("draw the run %q: %w", l.Run, err)
	}
	return text, nil
}

func (p livePage) render(name string) ([]byte, error) {
	t, err := template.New("live.tmpl").Funcs(template.FuncMap{"plain": plainText}).ParseFS(pageFiles, "page/page.tmpl", "page/live.tmpl")
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = t.ExecuteTemplate(&out, name, p)
	return out.Bytes(), err
}

// sections returns the charts of the trial in progress and of those that ended.
func (l *Live) sections() (all []section) {
	drawn := &pictures{}
	add := func(s section, charts []chart.Chart) {
		for _, c := range charts {
			if len(c.Series) > 0 {
				drawn.add(&s.Figures, c, picture{Half: true})
			}
		}
		if len(s.Figures) > 0 {
			all = append(all, s)
		}
	}
	if len(l.Samples) > 1 {
		add(section{ID: "trial", Title: "Trial in progress", Detail: l.Trial},
			[]chart.Chart{l.rate(), l.responses(), l.descriptors(), l.tasks()})
	}
	add(section{ID: "trials", Title: "Trials that ended"}, l.ended())
	return all
}

// line returns the line of a figure of the samples; values below 0 are omitted.
func (l *Live) line(name string, color int, value func(LiveSample) float64) chart.Series {
	s := chart.Series{Name: name, Color: color, Step: true, Bare: true}
	for _, at := range l.Samples {
		if v := value(at); v >= 0 {
			s.Points = append(s.Points, chart.Point{X: at.At.Seconds(), Y: v})
		}
	}
	return s
}

func (l *Live) rate() chart.Chart {
	x, y := overTime(l.Unit + "s a second")
	y.Format = text.Value
	return chart.Chart{Title: "Rate", Text: "Arrivals and completions per second over time.", X: x, Y: y, Series: []chart.Series{
		l.line("due", 0, func(s LiveSample) float64 { return s.DueRate }),
		l.line("done", 2, func(s LiveSample) float64 { return s.DoneRate }),
	}}
}

func (l *Live) responses() chart.Chart {
	x, _ := overTime("")
	quantile := func(of func(LiveSample) time.Duration) func(LiveSample) float64 {
		return func(s LiveSample) float64 {
			if of(s) == 0 {
				return -1
			}
			return float64(of(s))
		}
	}
	c := chart.Chart{Title: "Response time", Text: "Quantiles of the response time over time.", X: x, Y: nanoseconds("of " + l.Unit + "s that ended in the last 1–2 s"), Series: []chart.Series{
		l.line("p50", 0, quantile(func(s LiveSample) time.Duration { return s.P50 })),
		l.line("p99", 1, quantile(func(s LiveSample) time.Duration { return s.P99 })),
	}}
	if len(c.Series[1].Points) == 0 {
		c.Series = nil
	}
	return c
}

// liveParts bounds the lines of descriptors.
const liveParts = 5

func (l *Live) descriptors() chart.Chart {
	x, y := overTime("open descriptors")
	all := l.line("all", 6, func(s LiveSample) float64 { return float64(s.Descriptors) })
	c := chart.Chart{Title: "Descriptors", Text: "Open descriptors over time, by endpoint.", X: x, Y: y, Series: []chart.Series{all}}
	if highest(all) == 0 { // they cannot be seen
		c.Series = nil
		return c
	}
	peaks := map[string]int{}
	for _, s := range l.Samples {
		for _, p := range s.Parts {
			peaks[p.Name] = max(peaks[p.Name], p.Count)
		}
	}
	names := make([]string, 0, len(peaks))
	for name := range peaks {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(peaks[b], peaks[a]), cmp.Compare(a, b)) })
	names = names[:min(len(names), liveParts)]
	slices.Sort(names) // so that the colors stay when the order changes
	for i, name := range names {
		c.Series = append(c.Series, l.line(name, i, func(s LiveSample) float64 {
			if s.Parts == nil {
				return -1
			}
			return float64(partOf(s, name))
		}))
	}
	if near(float64(l.NoFile), all) {
		c.References = append(c.References, chart.Reference{At: float64(l.NoFile), Label: "nofile " + text.Count(l.NoFile), Alarm: true})
	}
	return c
}

func partOf(s LiveSample, name string) int {
	for _, p := range s.Parts {
		if p.Name == name {
			return p.Count
		}
	}
	return 0
}

func (l *Live) tasks() chart.Chart {
	x, y := overTime("tasks and " + l.Unit + "s in progress")
	c := chart.Chart{Title: "Tasks in flight", Text: "Work in progress over time.", X: x, Y: y}
	for i, f := range []struct {
		name  string
		value func(LiveSample) int
	}{
		{l.Unit + "s in flight", func(s LiveSample) int { return s.InFlight }},
		{"items in progress", func(s LiveSample) int { return s.Items }},
		{"fetching", func(s LiveSample) int { return s.Fetching }},
		{"writing", func(s LiveSample) int { return s.Writing }},
		{"slots in use", func(s LiveSample) int { return s.Slots }},
		{"tasks (goroutines)", func(s LiveSample) int { return s.Tasks }},
	} {
		s := l.line(f.name, i, func(s LiveSample) float64 { return float64(f.value(s)) })
		if i == 0 || highest(s) > 0 {
			c.Series = append(c.Series, s)
		}
	}
	return c
}

// ended returns the charts of the trials that ended: a point a trial.
func (l *Live) ended() []chart.Chart {
	count := func(label string) chart.Axis {
		return chart.Axis{Label: label, Include: []float64{0}, Format: func(v float64) string { return text.Count(int(math.Round(v))) }}
	}
	item := "item"
	if l.Unit != "" {
		item = "response"
	}
	return []chart.Chart{
		l.points("Makespan", nanoseconds("makespan"), func(t LiveTrial) float64 { return float64(t.Makespan) }),
		l.points("Rate", chart.Axis{Label: "items a second", Log: true, Format: text.Value}, func(t LiveTrial) float64 {
			if t.Makespan == 0 {
				return 0
			}
			return float64(t.Items) / t.Makespan.Seconds()
		}),
		l.points("Latency", nanoseconds(item+" p99"), func(t LiveTrial) float64 { return float64(t.P99) }),
		l.points("Peak descriptors", count("open descriptors at the peak"), func(t LiveTrial) float64 { return float64(t.Descriptors) }),
		l.points("Peak in flight", count("requests at the upstream at once"), func(t LiveTrial) float64 { return float64(t.InFlight) }),
	}
}

// points returns the chart of a figure of the trials; values of 0 are omitted.
func (l *Live) points(title string, y chart.Axis, value func(LiveTrial) float64) chart.Chart {
	x := chart.Axis{Label: "trial", Tight: true, Format: func(v float64) string { return strconv.Itoa(int(math.Round(v))) }}
	if len(l.Trials) > 0 {
		first := l.Trials[0].Number
		x.Include = []float64{float64(first), float64(max(first+1, l.Trials[len(l.Trials)-1].Number))}
	}
	c := chart.Chart{Title: title, Text: "One point per trial that ended.", X: x, Y: y}
	for i, name := range l.Variants {
		s := chart.Series{Name: name, Color: i, Loose: true}
		for _, t := range l.Trials {
			if v := value(t); t.Variant == i && v > 0 {
				s.Points = append(s.Points, chart.Point{X: float64(t.Number), Y: v, Text: fmt.Sprintf("%s, trial %d, %s: %s", name, t.Number, t.Level, y.Format(v))})
			}
		}
		if len(s.Points) > 0 {
			c.Series = append(c.Series, s)
		}
	}
	return c
}
