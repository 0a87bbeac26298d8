package scenarios

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"floodgate/mockupstream/strictyaml"
)

// maxFile bounds the size of a scenario file in bytes.
const maxFile = 1 << 20

// Load strictly reads a scenario file, and the files that it names, relative to
// it: of items, of delays that the upstream replays, and of answers. Omitted fields have their defaults. If the file has
// mistakes, the error is [strictyaml.Errors].
func Load(path string) (*Scenario, error) {
	s, _, err := loadFile(path, nil)
	return s, err
}

// LoadToRun is like [Load] and also reports, with its position, each text that names a
// variable of the environment as ${NAME} which is not set.
func LoadToRun(path string, lookup func(name string) (string, bool)) (*Scenario, error) {
	s, _, err := loadFile(path, lookup)
	return s, err
}

// CheckFile loads a file and returns the mistakes that check finds in its scenario, with
// their positions.
func CheckFile(path string, check func(*Scenario) strictyaml.Errors) error {
	s, doc, err := loadFile(path, nil)
	if err != nil {
		return err
	}
	doc.Report(check(s))
	return doc.Err()
}

// Lines holds the line numbers of the claims of a scenario's file, by their IDs,
// and of its thresholds, by their rules. They count from 1.
type Lines struct{ Claims, Thresholds map[string]int }

// LoadLines is like [Load] and also returns the lines of claims and thresholds.
func LoadLines(path string) (*Scenario, Lines, error) {
	s, doc, err := loadFile(path, nil)
	if err != nil {
		return nil, Lines{}, err
	}
	lines := Lines{make(map[string]int), make(map[string]int)}
	for i, c := range s.Claims {
		lines.Claims[c.ID] = doc.Line(strictyaml.Index("claims", i))
	}
	for i, t := range slices.Backward(s.Thresholds) { // of equal rules the first
		lines.Thresholds[t.Rule] = doc.Line(strictyaml.Index("thresholds", i))
	}
	return s, lines, nil
}

// loadFile loads a file. A nil lookup does not look at the environment.
func loadFile(path string, lookup func(name string) (string, bool)) (*Scenario, *strictyaml.Document, error) {
	src, err := strictyaml.ReadFile(path, maxFile)
	if err != nil {
		return nil, nil, fmt.Errorf("load scenario: %w", err)
	}
	return load(path, src, func(s *Scenario) error {
		dir := filepath.Dir(path)
		found := upstreamProblems(s.Upstream.Resolve(dir))
		found = append(found, s.Items.readFile(dir, s.Upstream.Request)...)
		if s.Service != nil {
			found = append(found, s.Service.readFiles(dir)...)
		}
		found = append(found, s.exposed()...)
		if lookup != nil {
			found = append(found, s.Unset(lookup)...)
		}
		return found
	})
}

// Parse is like [Load] for a text in memory, which may be JSON; name is the file's
// name in messages. It does not read other files, such as files of items.
func Parse(name string, src []byte) (*Scenario, error) {
	s, _, err := load(name, src, func(*Scenario) error { return nil })
	return s, err
}

func load(name string, src []byte, resolve func(*Scenario) error) (*Scenario, *strictyaml.Document, error) {
	s := &Scenario{}
	doc, err := strictyaml.Decode(name, src, s, constraints)
	if doc == nil {
		return nil, nil, err
	}
	if !doc.Has("seed") { // a seed of 0 is a seed
		s.Seed = DefaultSeed
	}
	s.fillIn()
	c := &checker{Document: doc, s: s, resolve: resolve}
	c.check()
	if err := doc.Err(); err != nil {
		return nil, nil, err
	}
	return s, doc, nil
}

// Defaults of omitted fields.
const (
	DefaultSeed    = 1
	DefaultNoFile  = 1024
	DefaultTimeout = Duration(120 * time.Second)
	// DefaultCallTimeout is the default timeout of one request and of one write.
	DefaultCallTimeout = Duration(30 * time.Second)
	// DocumentsNone is the value of Database.Documents for a program that writes nothing.
	DocumentsNone = "none"
	// DefaultFactor is the default factor of growth.
	DefaultFactor = "items"
)

// fillIn sets omitted fields to their defaults.
func (s *Scenario) fillIn() {
	own := s.IsHTTPService()
	if own {
		s.fillInHTTPService()
	} else {
		orElse(&s.Items.Batches, 1)
		orElse(&s.SUT.FetchTimeout, DefaultCallTimeout)
		orElse(&s.SUT.WriteTimeout, DefaultCallTimeout)
	}
	orElse(&s.Blocks, MinBlocks)
	orElse(&s.Database.Documents, "per-item")
	orElse(&s.SUT.NoFile, DefaultNoFile)
	orElse(&s.SUT.Timeout, DefaultTimeout)
	if s.variesHosts() {
		orElse(&s.SUT.Hosts, 1)
	}
	if s.Service != nil {
		s.Service.fillIn(own)
	}
	if s.SLO != nil {
		s.SLO.fillIn()
	}
	for i := range s.Variants {
		v := &s.Variants[i]
		orElse(&v.Name, v.defaultName())
		if own {
			continue
		}
		orElse(&v.Connections.Upstream, "keep-alive")
		orElse(&v.Connections.Clients, "shared")
	}
	for i := range s.Thresholds {
		orElse(&s.Thresholds[i].Severity, SeverityFail)
	}
	for i := range s.Claims {
		c := &s.Claims[i]
		orElse(&c.Expect, "proved")
		if c.Growth != nil {
			orElse(&c.Growth.With, DefaultFactor)
		}
		if c.Descriptors != nil && len(c.Descriptors.Grows) > 0 {
			orElse(&c.Descriptors.With, DefaultFactor)
		}
	}
}

func orElse[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
