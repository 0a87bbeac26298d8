// Package site keeps a folder of static pages about all runs, for GitHub Pages or any
// other server of files:
//
//	stored, err := history.Read("results/runs")
//	result, err := site.Publish(ctx, "site", stored, nil)
//
// writes
//
//	site/index.html           the trend of every metric
//	site/data/history.json    its values
//	site/runs/ID.html         the page of a run
//	site/data/runs/ID.json    what the trend needs of it
//
// Only new and changed runs are written. A run whose record is gone stays: what the trend
// needs is in the site, so that each CI job can add its run to the site of those before.
// All links are relative, and no page loads anything, so that the site works from a disk.
//
// Each file is replaced at once, the page of a run before its data, and the index last: a
// site that was interrupted shows the runs as before, and the next time completes it.
package site

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"floodgate/results"
	"floodgate/results/atomicfile"
	"floodgate/results/claims"
	"floodgate/results/history"
	"floodgate/results/report/html"
)

// Index is the name of the first page of a site.
const Index = "index.html"

// Result describes what [Publish] did.
type Result struct {
	// Added holds the IDs of the runs whose pages were written; Unchanged is the number of
	// the others that are stored.
	Added     []string
	Unchanged int
	// Gone holds the IDs of the runs in the site whose records are not stored any more.
	Gone    []string
	History *history.History
}

// InterruptedError reports that the context ended before the site was complete.
type InterruptedError struct{ Written, Of int }

func (e *InterruptedError) Error() string {
	return fmt.Sprintf("interrupted: %d of %d new pages are written, and the index shows the runs as before; publish again to complete it", e.Written, e.Of)
}

// NotOursError reports that a folder contains an index that Publish did not write.
type NotOursError struct{ File string }

func (e *NotOursError) Error() string {
	return e.File + " was not written by floodgate history --publish, and is not replaced; choose another folder"
}

// Publish brings the site in a folder up to date with the stored runs. It makes the folder
// if it does not exist. After each file, it calls wrote with the file's path in the site;
// nil means that nothing is called.
func Publish(ctx context.Context, dir string, stored *history.Stored, wrote func(string)) (*Result, error) {
	s := &site{dir: dir, wrote: wrote, known: map[string]history.Entry{}}
	r, err := s.publish(ctx, stored)
	if err != nil {
		return nil, fmt.Errorf("publish in %s: %w", dir, err)
	}
	return r, nil
}

type site struct {
	dir     string
	wrote   func(string)
	known   map[string]history.Entry // of the runs in the site, by ID
	omitted []history.Omitted
}

func (s *site) publish(ctx context.Context, stored *history.Stored) (*Result, error) {
	if err := s.prepare(); err != nil {
		return nil, err
	}
	if err := s.read(); err != nil {
		return nil, err
	}
	r := &Result{}
	records := map[string]bool{}
	var fresh []history.Entry
	for _, e := range stored.Entries {
		switch {
		case records[e.Run.ID]:
			s.omitted = append(s.omitted, history.Omitted{Run: filepath.Base(e.Dir), Why: "a copy of another run"})
			continue
		case s.has(e):
			r.Unchanged++
		default:
			fresh = append(fresh, e)
		}
		records[e.Run.ID] = true
	}
	for i, e := range fresh {
		if ctx.Err() != nil {
			return nil, &InterruptedError{Written: i, Of: len(fresh)}
		}
		broken, err := s.add(e)
		if err != nil {
			return nil, err
		}
		if broken != nil {
			s.omitted = append(s.omitted, history.Omitted{Run: e.Run.ID, Why: broken.Error()})
			continue
		}
		r.Added = append(r.Added, e.Run.ID)
	}
	for _, id := range slices.Sorted(maps.Keys(s.known)) {
		if !records[id] {
			r.Gone = append(r.Gone, id)
		}
	}
	for _, o := range stored.Omitted {
		if _, ok := s.known[o.Run]; !ok { // else the site has it from when it could be read
			s.omitted = append(s.omitted, o.Omitted)
		}
	}
	var err error
	r.History, err = s.index()
	return r, err
}

// prepare makes the folders, unless they contain somebody else's index.
func (s *site) prepare() error {
	if info, err := os.Stat(s.dir); err == nil && !info.IsDir() {
		return errors.New("it is a file; name a folder")
	}
	src, err := os.ReadFile(s.path(Index))
	switch {
	case err == nil && !bytes.Contains(src, []byte(html.Generator)):
		return &NotOursError{s.path(Index)}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	for _, dir := range []string{"runs", "data/runs"} {
		if err := os.MkdirAll(s.path(dir), 0o755); err != nil {
			return err
		}
	}
	return s.sweep()
}

// unfinished matches the temporary files of package atomicfile.
var unfinished = regexp.MustCompile(`^\.[0-9A-Za-z][0-9A-Za-z._-]*\.(html|json)\.[0-9]+$`)

// abandoned is the age from which on an unfinished file is not that of a publisher that
// still runs.
const abandoned = time.Hour

// sweep removes the unfinished files of a publisher that was killed.
func (s *site) sweep() error {
	for _, dir := range []string{".", "runs", "data", "data/runs"} {
		files, err := os.ReadDir(s.path(dir))
		if err != nil {
			return err
		}
		for _, f := range files {
			if !f.Type().IsRegular() || !unfinished.MatchString(f.Name()) {
				continue
			}
			info, err := f.Info()
			if err == nil && time.Since(info.ModTime()) > abandoned {
				err = os.Remove(filepath.Join(s.path(dir), f.Name()))
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// read reads the data of the runs in the site.
func (s *site) read() error {
	files, err := os.ReadDir(s.path("data/runs"))
	if err != nil {
		return err
	}
	for _, f := range files {
		id, ok := strings.CutSuffix(f.Name(), ".json")
		if !ok {
			continue
		}
		src, err := os.ReadFile(s.path(dataOf(id)))
		if err != nil {
			return err
		}
		e, err := history.ParseEntry(src)
		if err == nil && e.Run.ID != id {
			err = fmt.Errorf("it describes run %q", e.Run.ID)
		}
		if err != nil {
			s.omitted = append(s.omitted, history.Omitted{Run: id, Why: dataOf(id) + ": " + err.Error()})
			continue
		}
		s.known[id] = e
	}
	return nil
}

// has reports whether the site has the run and its page.
func (s *site) has(e history.Entry) bool {
	known, ok := s.known[e.Run.ID]
	return ok && known.Record == e.Record && s.hasPage(e.Run.ID)
}

func (s *site) hasPage(id string) bool {
	_, err := os.Stat(s.path(pageOf(id)))
	return err == nil
}

// add writes the page and the data of a run. broken is the reason why the run cannot be
// shown.
func (s *site) add(e history.Entry) (broken, _ error) {
	run, err := results.Open(e.Dir)
	if err != nil {
		return err, nil
	}
	record, err := os.ReadFile(run.Path)
	if err != nil {
		return err, nil
	}
	v, err := claims.Judge(run)
	if err != nil {
		return err, nil
	}
	run.Path = "" // a folder of this machine
	var page, data bytes.Buffer
	if err := html.Run(&page, run, v, html.Options{Record: record, Home: "../" + Index}); err != nil {
		return err, nil
	}
	if err := json.NewEncoder(&data).Encode(e); err != nil {
		return nil, err
	}
	if err := s.write(pageOf(e.Run.ID), page.Bytes()); err != nil {
		return nil, err
	}
	if err := s.write(dataOf(e.Run.ID), data.Bytes()); err != nil {
		return nil, err
	}
	s.known[e.Run.ID] = e
	s.omitted = slices.DeleteFunc(s.omitted, func(o history.Omitted) bool { return o.Run == e.Run.ID })
	return nil, nil
}

// index writes the history and the first page.
func (s *site) index() (*history.History, error) {
	all := &history.Stored{}
	for _, id := range slices.Sorted(maps.Keys(s.known)) {
		all.Entries = append(all.Entries, s.known[id])
	}
	for _, o := range s.omitted {
		all.Omitted = append(all.Omitted, history.OmittedRun{Omitted: o})
	}
	h := all.History(history.Options{})
	var page, data bytes.Buffer
	if err := json.NewEncoder(&data).Encode(h); err != nil { // not indented: it has a line for each value then
		return nil, err
	}
	if err := html.Trend(&page, h, html.TrendOptions{Data: "data/history.json", Page: func(id string) string {
		if !s.hasPage(id) {
			return ""
		}
		return pageOf(id)
	}}); err != nil {
		return nil, err
	}
	if err := s.write("data/history.json", data.Bytes()); err != nil {
		return nil, err
	}
	return h, s.write(Index, page.Bytes())
}

func pageOf(id string) string { return "runs/" + id + ".html" }
func dataOf(id string) string { return "data/runs/" + id + ".json" }

func (s *site) path(name string) string { return filepath.Join(s.dir, filepath.FromSlash(name)) }

// write replaces a file, unless it has this content.
func (s *site) write(name string, content []byte) error {
	if old, err := os.ReadFile(s.path(name)); err == nil && bytes.Equal(old, content) {
		return nil
	}
	if err := atomicfile.Write(s.path(name), content); err != nil {
		return err
	}
	if s.wrote != nil {
		s.wrote(name)
	}
	return nil
}
