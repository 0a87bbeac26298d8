// Package html renders runs, comparisons and plans as pages. A page is a single
// file that loads nothing and runs no script:
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
	"floodgate/results/report/text"
	"floodgate/results/verdict"
)

// Most that parts of a page may take, in bytes, so that it stays below 1 MB,
// and in rows.
const (
	maxFigures  = 450_000
	maxDownload = 250_000 // each of the two
	maxRows     = 400     // of the tables of all levels, and of the evidence
)

//go:embed page
var pageFiles embed.FS

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

// download is a file that lies in the page.
type download struct {
	Name, Says string
	Href       template.URL
}

// downloads are the verdict and, where there is room, the run's record, both
// compressed; the note says what is missing.
func downloads(v *claims.Outcome, record []byte) (all []download, note string, err error) {
	var verdict bytes.Buffer
	if err := content.WriteJSON(&verdict, v, "verdict"); err != nil {
		return nil, "", err
	}
	for _, f := range []struct {
		name, says string
		content    []byte
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
			note += fmt.Sprintf("%s is not in this page because it would take %s. ", capital(f.says), text.Mebibytes(int64(size)))
		default:
			all = append(all, download{f.name, fmt.Sprintf("%s, %s", f.says, kibibytes(len(f.content))), href})
		}
	}
	return all, note, nil
}

// embedded is a data URI of content, compressed, and its size.
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
