package scenarios

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"floodgate/mockupstream"
	"floodgate/mockupstream/strictyaml"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// maxFile bounds the size of a scenario file in bytes.
const maxFile = 1 << 20

// Load reads a scenario file strictly and the files of delays that its upstream
// replays, which are relative to it. The mistakes in it are returned together
// as Errors; what was left out has its default.
func Load(path string) (*Scenario, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("load scenario: %w", err)
	}
	defer file.Close()
	src, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("load scenario %s: %w", path, err)
	}
	return load(path, src, func(p *mockupstream.Profile) error {
		return p.Resolve(filepath.Dir(path))
	})
}

// Parse is Load of a text in memory; name stands for the file in messages.
// JSON is taken too. No other file is read: a file of delays stays unread.
func Parse(name string, src []byte) (*Scenario, error) {
	return load(name, src, func(*mockupstream.Profile) error { return nil })
}

func load(name string, src []byte, resolve func(*mockupstream.Profile) error) (*Scenario, error) {
	d := newDecoder(name)
	s := &Scenario{}
	if root := d.parse(src); root != nil {
		d.value(root, "", reflect.ValueOf(s).Elem(), rule{})
		if !d.present("seed") { // a seed of 0 is a seed
			s.Seed = DefaultSeed
		}
		s.fillIn()
		c := &checker{decoder: d, s: s, resolve: resolve}
		c.check()
	}
	if len(d.errs) > 0 {
		d.errs.sort()
		return nil, d.errs
	}
	return s, nil
}

// parse is the one document of the file; nil after a mistake that leaves none.
func (d *decoder) parse(src []byte) ast.Node {
	if len(src) > maxFile {
		d.fail(place{}, "", fmt.Sprintf("the file is larger than %d bytes", maxFile))
		return nil
	}
	file, err := strictyaml.Parse(src, parser.AllowDuplicateMapKey())
	if err != nil {
		where, message := place{}, err.Error()
		var known *strictyaml.SyntaxError
		if errors.As(err, &known) {
			where, message = place{known.Line, known.Column}, known.Message
		}
		d.fail(where, "", message)
		return nil
	}
	var root ast.Node
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil || doc.Body.Type() == ast.CommentType:
		case root == nil:
			root = doc.Body
		default:
			d.fail(begin(doc.Body), "", "a second document; allowed: one scenario in a file")
		}
	}
	allowed := "; allowed: a mapping with " + strings.Join(keysOf(reflect.TypeFor[Scenario]()), ", ")
	if root == nil {
		d.fail(place{}, "", "the file is empty"+allowed)
		return nil
	}
	if _, isMapping := root.(ast.MapNode); !isMapping {
		d.fail(begin(root), "", "the file is "+shape(root)+allowed)
		return nil
	}
	return root
}

// Defaults of what a scenario file leaves out.
const (
	DefaultSeed    = 1
	DefaultNoFile  = 1024
	DefaultTimeout = Duration(120 * time.Second)
	// DefaultCallTimeout is that of one request and of one write.
	DefaultCallTimeout = Duration(30 * time.Second)
	// DefaultFactor is what growth is measured with.
	DefaultFactor = "items"
)

// fillIn gives what the file left out its default.
func (s *Scenario) fillIn() {
	orElse(&s.Items.Batches, 1)
	orElse(&s.Database.Documents, "per-item")
	orElse(&s.SUT.NoFile, DefaultNoFile)
	orElse(&s.SUT.Timeout, DefaultTimeout)
	orElse(&s.SUT.FetchTimeout, DefaultCallTimeout)
	orElse(&s.SUT.WriteTimeout, DefaultCallTimeout)
	if s.Service != nil {
		s.Service.fillIn()
	}
	if s.SLO != nil {
		s.SLO.fillIn()
	}
	for i := range s.Variants {
		v := &s.Variants[i]
		orElse(&v.Name, v.defaultName())
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
