package results

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
)

// footerPrefix distinguishes a footer from a trial.
const footerPrefix = `{"complete":`

// FileName is the name of a run's file in the run's folder.
const FileName = "run.jsonl"

// LineError reports that a line of a run's file is damaged.
type LineError struct {
	File string
	Line int // from 1
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err) }
func (e *LineError) Unwrap() error { return e.Err }

// footer is the last line of a complete run. Its digest covers all lines before
// it, so that later changes of the file are detected.
type footer struct {
	Complete bool   `json:"complete"`
	Trials   int    `json:"trials"`
	SHA256   string `json:"sha256"`
}

// Open reads the run at path, which is its folder or its file. An unfinished last
// line, as left by a kill, becomes a warning; any other deviation from the format
// of [Store] is a [LineError].
func Open(path string) (*Run, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, FileName)
	}
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("open run: %w", err)
	}
	run, err := Parse(path, src)
	if err != nil {
		return nil, fmt.Errorf("open run: %w", err)
	}
	run.Path = path
	return run, nil
}

// Parse reads a run from the content of its file; errors mention name. It is as
// strict as [Open], and every error is a [LineError].
func Parse(name string, src []byte) (*Run, error) {
	p, err := parse(name, src)
	if err != nil {
		return nil, err
	}
	return &p.run, nil
}

func parse(name string, src []byte) (*parser, error) {
	p := &parser{seen: make(map[int]int), digest: sha256.New()}
	for len(src) > 0 {
		p.line++
		line, rest, whole := bytes.Cut(src, []byte("\n"))
		if !whole {
			p.torn = len(line)
			break
		}
		if err := p.accept(line, src[:len(line)+1]); err != nil {
			return nil, &LineError{File: name, Line: p.line, Err: err}
		}
		src = rest
	}
	if p.good == 0 {
		return nil, &LineError{File: name, Line: 1, Err: errors.New("the header is missing: the run was killed before it started")}
	}
	if p.torn > 0 {
		p.run.Warnings = append(p.run.Warnings, fmt.Sprintf(
			"%s:%d: ignored an unfinished last line of %d bytes: the run was killed while it wrote it", name, p.line, p.torn))
	}
	return p, nil
}

// parser reads the lines of a run's file one after another.
type parser struct {
	run    Run
	line   int         // number of the current line, from 1
	seen   map[int]int // trial index → its line
	digest hash.Hash   // of the lines accepted
	good   int64       // bytes accepted
	torn   int         // bytes of an unfinished last line
}

// accept parses one line; raw is the line with its newline.
func (p *parser) accept(line, raw []byte) error {
	var err error
	switch {
	case p.run.Complete:
		err = errors.New("a line after the footer")
	case p.line == 1:
		err = p.header(line)
	case bytes.HasPrefix(line, []byte(footerPrefix)):
		err = p.footer(line)
	default:
		err = p.trial(line)
	}
	if err != nil {
		return err
	}
	p.digest.Write(raw)
	p.good += int64(len(raw))
	return nil
}

func (p *parser) header(line []byte) error {
	var version struct {
		Schema *int `json:"schema"`
	}
	if err := json.Unmarshal(line, &version); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	if version.Schema == nil {
		return errors.New("header: the schema is missing: this is not the record of a run")
	}
	if *version.Schema != Schema {
		return fmt.Errorf("header: schema %d is not supported (this version reads schema %d): run the scenario again", *version.Schema, Schema)
	}
	if err := strict(line, &p.run.Header); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	if err := p.run.Header.validate(); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	return nil
}

func (p *parser) trial(line []byte) error {
	var t Trial
	if err := strict(line, &t); err != nil {
		return fmt.Errorf("trial: %w", err)
	}
	if err := t.validate(p.run.Header.Planned); err != nil {
		return err
	}
	if first, twice := p.seen[t.Index]; twice {
		return fmt.Errorf("trial %d is already on line %d", t.Index, first)
	}
	p.seen[t.Index] = p.line
	p.run.Trials = append(p.run.Trials, t)
	return nil
}

func (p *parser) footer(line []byte) error {
	var f footer
	if err := strict(line, &f); err != nil {
		return fmt.Errorf("footer: %w", err)
	}
	if n := len(p.run.Trials); !f.Complete || f.Trials != n || !p.run.Header.mayEnd(n) {
		return fmt.Errorf("footer: complete %v with %d trials: there are %d of %d planned", f.Complete, f.Trials, n, p.run.Header.Planned)
	}
	if sum := hex.EncodeToString(p.digest.Sum(nil)); sum != f.SHA256 {
		return fmt.Errorf("footer: the lines before it have SHA-256 %s, but it has %q: the file was changed", sum, f.SHA256)
	}
	p.run.end()
	return nil
}

// strict decodes one JSON value that fills the line, without unknown fields.
func strict(line []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return errors.New("the line ends early")
		}
		return err
	}
	if rest := bytes.TrimSpace(line[dec.InputOffset():]); len(rest) > 0 {
		return fmt.Errorf("%d bytes after the end of the record", len(rest))
	}
	return nil
}
