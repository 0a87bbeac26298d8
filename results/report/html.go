package report

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"unicode"

	"floodgate/results"
	"floodgate/results/chart"
	"floodgate/results/gate"
	"floodgate/results/summary"
	"floodgate/results/verdict"
)

// Most that parts of a page may take, in bytes, so that it stays below 1 MB,
// and in rows.
const (
	maxFigures  = 450_000
	maxDownload = 250_000 // each of the two
	maxRows     = 400     // of the tables of all levels, and of the evidence
)

// HTMLOptions of [HTML].
type HTMLOptions struct {
	// Record is the content of the run's file, to be saved from the page. Nil,
	// or too large: the page says that it has the verdict alone.
	Record []byte
}

//go:embed page
var pageFiles embed.FS

// HTML writes a page of one file, which loads nothing: the verdict and its
// evidence, pictures, tables, what the run ran on, and its data.
func HTML(w io.Writer, run *results.Run, v *gate.Verdict, o HTMLOptions) error {
	fail := func(err error) error { return fmt.Errorf("write page of run %q: %w", v.Run, err) }
	x, err := summary.NewIndex(run)
	if err != nil {
		return fail(err)
	}
	sections, err := (&pictures{index: x, verdict: v}).all()
	if err != nil {
		return fail(err)
	}
	p := &printer{run: run, v: v}
	pg := page{Title: titleOf(v), Sections: sections, Run: v.Run, Exit: fmt.Sprint(v.Exit)}
	pg.judged(p)
	pg.tables(p)
	pg.facts(p)
	if pg.Downloads, pg.DataNote, err = downloads(v, o.Record); err != nil {
		return fail(err)
	}
	if err := pg.write(w); err != nil {
		return fail(err)
	}
	return nil
}

// page is what the template shows.
type page struct {
	Title, Run string
	// Word is the verdict, Tone the class of its colour, Says how it came about.
	Word, Says, Exit   string
	Tone               verdict.Tone
	Notes              []string
	Confidence         string
	Claims, Thresholds []judgedItem
	Sections           []section
	Tables             []levelTable
	TablesNote         string
	Text               string // as on a terminal
	Facts              []fact
	Reproduce          []string
	Scenario           string
	Downloads          []download
	DataNote           string
}

// section is a heading with pictures, or with a sentence why there are none.
type section struct {
	ID, Title, Says, None string
	Figures               []picture
}

// picture is drawn for a wide page and for a narrow one, and its
// numbers as a table.
type picture struct {
	Title, Says  string
	Wide, Narrow template.HTML
	Head         []string
	Rows         [][]string
	Half         bool // two of them stand beside each other
}

type fact struct{ Name, Text string }

// style is the page's and the charts'.
func (page) Style() (template.CSS, error) {
	css, err := pageFiles.ReadFile("page/page.css")
	return chart.CSS() + template.CSS(css), err // both are our own files
}

func (pg page) write(w io.Writer) error {
	t, err := template.New("page.tmpl").Funcs(template.FuncMap{"plain": plainText}).ParseFS(pageFiles, "page/page.tmpl")
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, pg); err != nil {
		return err
	}
	_, err = w.Write(out.Bytes())
	return err
}

// plainText is text without what reorders or hides the text around it: bidi
// controls and the like become visible.
func plainText(words string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) && r != '\u00ad') {
			return unicode.ReplacementChar
		}
		return r
	}, words)
}
