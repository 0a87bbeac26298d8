package html

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"floodgate/results/report/content"
	"floodgate/results/report/html/chart"
	"floodgate/results/text"
	"floodgate/results/watched"
)

// Watch writes a watched process as a page of one file, which contains its record.
func Watch(w io.Writer, watch *watched.Watch, o *watched.Outcome, record []byte) error {
	p := &content.Watch{Printer: text.Printer{Width: 96}, Watch: watch, Outcome: o}
	pg := page{
		Title: p.Title(), Run: o.ID, Word: p.Verdict(), Tone: o.Decision.Tone(), Detail: o.Statement, Exit: fmt.Sprint(o.Exit), Notes: o.Notes,
		Sections: []section{watchPictures(watch, o)}, Reproduce: []string{"floodgate " + strings.Join(watch.Header.Command, " ")},
	}
	pg.grid("Descriptors by kind", p.Grid(), nil)
	for _, f := range p.Figures() {
		pg.Facts = append(pg.Facts, fact{f[0], f[1]})
	}
	pg.Facts = append(pg.Facts,
		fact{"machine", content.MachineLine(watch.Header.Fingerprint)},
		fact{"started", watch.Header.Started.UTC().Format("2006-01-02 15:04:05 UTC")},
		fact{"ended", cmp.Or(string(o.End), "without an end: running, or killed")})
	if err := pg.watchData(o, record); err != nil {
		return fmt.Errorf("write page of watch %q: %w", o.ID, err)
	}
	if err := pg.write(w); err != nil {
		return fmt.Errorf("write page of watch %q: %w", o.ID, err)
	}
	return nil
}

// grid appends a table of the terminal's.
func (pg *page) grid(title string, g *text.Grid, remarks []string) {
	t := levelTable{Title: title, Remarks: remarks}
	for _, c := range g.Columns {
		t.Head = append(t.Head, cell{c.Title, c.Right})
	}
	for _, r := range g.Rows {
		row := tableRow{Variant: title}
		for k, words := range r {
			row.Cells = append(row.Cells, cell{words, g.Columns[k].Right})
		}
		t.Rows = append(t.Rows, row)
	}
	pg.Tables = append(pg.Tables, t)
}

// watchData embeds the verdict and, if there is room, the record.
func (pg *page) watchData(o *watched.Outcome, record []byte) error {
	var words strings.Builder
	if err := content.WriteJSON(&words, o, "verdict"); err != nil {
		return err
	}
	for _, f := range []download{{Name: o.ID + ".verdict.json.gz", Detail: "the verdict"}, {Name: o.ID + ".watch.jsonl.gz", Detail: "the record of every sample"}} {
		data := record
		if strings.HasSuffix(f.Name, ".verdict.json.gz") {
			data = []byte(words.String())
		}
		href, size, err := embedded(data)
		if err != nil {
			return err
		}
		if size > maxDownload {
			pg.DataNote = "The record is too large to embed in this page."
			continue
		}
		f.Href = href
		pg.Downloads = append(pg.Downloads, f)
	}
	return nil
}

// watchPictures have the descriptors by kind, and the load, over time.
func watchPictures(watch *watched.Watch, o *watched.Outcome) section {
	s := section{ID: "time-series", Title: "Descriptors over time"}
	if len(watch.Samples) < 2 {
		s.None = "There are too few samples for a picture."
		return s
	}
	x, y := overTime("open descriptors")
	x.Label = "time since the watch started"
	if watch.Samples[len(watch.Samples)-1].At > 5*time.Minute {
		x.Format = func(seconds float64) string { return fmt.Sprintf("%s min", text.Digits(math.Round(seconds/6)/10)) }
	}
	all := chart.Series{Name: "all", Color: 6, Step: true, Bare: true}
	load, threads := chart.Series{Name: "in progress at most", Color: 2, Step: true, Bare: true}, chart.Series{Name: "threads", Color: 5, Step: true, Bare: true}
	accepted := chart.Series{Name: "accepted connections", Color: 1, Step: true, Bare: true}
	for _, l := range watch.Samples {
		at := l.At.Seconds()
		all.Points = append(all.Points, chart.Point{X: at, Y: float64(l.Descriptors)})
		threads.Points = append(threads.Points, chart.Point{X: at, Y: float64(l.Threads)})
		if l.Kinds != nil {
			load.Points = append(load.Points, chart.Point{X: at, Y: float64(l.Kinds.InProgress)})
			accepted.Points = append(accepted.Points, chart.Point{X: at, Y: float64(l.Kinds.Accepted)})
		}
	}
	descriptors := chart.Chart{Title: "Descriptors", Text: "Open descriptors over time, with the fastest-growing kinds.", X: x, Y: y, Series: []chart.Series{all}}
	const kinds = 3
	for i, k := range o.Kinds[:min(kinds, len(o.Kinds))] {
		line := chart.Series{Name: k.Name, Color: []int{0, 1, 3}[i], Step: true, Bare: true}
		for _, at := range watched.Counts(watch.Samples, k.Name) {
			line.Points = append(line.Points, chart.Point{X: at.At.Seconds(), Y: float64(at.Count)})
		}
		descriptors.Series = append(descriptors.Series, line)
	}
	if near(float64(o.Limit), all) {
		descriptors.References = []chart.Reference{{At: float64(o.Limit), Label: "ulimit -n " + text.Count(o.Limit), Alarm: true}}
	}
	y.Label, y.Include = "threads and connections", []float64{0, 5} // few whole numbers need whole ticks
	work := chart.Chart{Title: "Load and threads", Text: "Threads, accepted connections and requests in progress over time.", X: x, Y: y, Series: []chart.Series{threads, accepted, load}}
	drawn := &pictures{}
	drawn.add(&s.Figures, descriptors, picture{Head: append([]string{"time"}, names(descriptors)...), Rows: sampled(descriptors)})
	drawn.add(&s.Figures, work, picture{Head: append([]string{"time"}, names(work)...), Rows: sampled(work)})
	return s
}

// names returns those of the series of a chart.
func names(c chart.Chart) (all []string) {
	for _, s := range c.Series {
		all = append(all, s.Name)
	}
	return all
}
