// Package html renders runs, comparisons and plans as pages. A page is a single file
// without external resources or scripts. See the example of [Run].
//
//	html.Run(f, run, outcome, html.Options{Record: record})
package html

import (
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"
	"unicode"

	"floodgate/results/claims"
	"floodgate/results/report/content"
	"floodgate/results/report/html/chart"
	"floodgate/results/text"
	"floodgate/results/verdict"
)

// Bounds on parts of a page, in bytes, so that it stays below 1 MB, and in rows.
const (
	maxFigures  = 450_000
	maxDownload = 250_000 // each of the two
	maxRows     = 400     // of the tables of all levels, and of the evidence
)

//go:embed page
var pageFiles embed.FS

// page holds the data of the template.
type page struct {
	Title, Run string
	Home       string // the page of all runs
	// Word is the verdict, Tone the class of its color, Detail the reason.
	Word, Detail, Exit string
	Tone               verdict.Tone
	Plain              []plainClaim
	Notes              []string
	Confidence         string
	Claims, Thresholds []judgedItem
	Sections           []section
	Missing            string // why there are no pictures of something
	Tables             []levelTable
	TablesNote         string
	Terms              string // explains those of the tables
	Text               string // as on a terminal
	Facts              []fact
	Reproduce          []string
	Scenario           string
	Downloads          []download
	DataNote           string
}

// section is a heading with pictures, or with the reason why there are none.
type section struct {
	ID, Title, Detail, None string
	Figures                 []picture
}

// picture is a chart in a wide and a narrow version, with its numbers as a table.
type picture struct {
	Title, Detail string
	Wide, Narrow  template.HTML
	Head          []string
	Rows          [][]string
	Half          bool // two of them stand beside each other
}

// plainClaim is the decision on a claim in one sentence.
type plainClaim struct {
	Mark, Sentence string
	Tone           verdict.Tone
}

type fact struct{ Name, Text string }

// style returns the styles of the page and of the charts.
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

// plainText makes characters visible that reorder or hide text, such as bidi
// controls.
func plainText(words string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) && r != '\u00ad') {
			return unicode.ReplacementChar
		}
		return r
	}, words)
}

// download is a file embedded in the page.
type download struct {
	Name, Detail string
	Href         template.URL
}

// downloads returns the verdict and, if there is room, the run's record, both
// compressed; the note explains what is missing.
func downloads(v *claims.Outcome, record []byte) (all []download, note string, err error) {
	var verdict bytes.Buffer
	if err := content.WriteJSON(&verdict, v, "verdict"); err != nil {
		return nil, "", err
	}
	for _, f := range []struct {
		name, detail string
		content      []byte
	}{
		{v.Run + ".verdict.json.gz", "the verdict with all its evidence", verdict.Bytes()},
		{v.Run + ".run.jsonl.gz", "the record of every trial", record},
	} {
		href, size, err := embedded(f.content)
		switch {
		case err != nil:
			return nil, "", err
		case f.content == nil:
			note = "The record of the trials is not embedded in this page. "
		case size > maxDownload:
			note += fmt.Sprintf("%s is not in this page because it would take %s. ", capital(f.detail), text.Mebibytes(int64(size)))
		default:
			all = append(all, download{f.name, fmt.Sprintf("%s, %s", f.detail, kibibytes(len(f.content))), href})
		}
	}
	return all, note, nil
}

// embedded returns a data URI of the compressed content, and its size.
func embedded(content []byte) (template.URL, int, error) {
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return "", 0, err
	}
	if _, err := z.Write(content); err != nil {
		return "", 0, err
	}
	if err := z.Close(); err != nil {
		return "", 0, err
	}
	words := base64.StdEncoding.EncodeToString(packed.Bytes())
	return template.URL("data:application/gzip;base64," + words), len(words), nil // base64 has no character of meaning
}

func kibibytes(n int) string { return fmt.Sprintf("%.0f KiB uncompressed", float64(n)/1024) }

func capital(words string) string { return string(words[0]-'a'+'A') + words[1:] }
