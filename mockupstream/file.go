package mockupstream

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"floodgate/mockupstream/strictyaml"
)

// Bounds on the size of a profile, of a replay file and of an answer's file, in bytes.
const (
	maxProfile = 1 << 20
	maxReplay  = 64 << 20
	maxAnswer  = 16 << 20
)

// LoadProfile reads a profile in YAML and its replay files and answer (relative to
// its folder), and validates it.
func LoadProfile(path string) (Profile, error) {
	src, err := strictyaml.ReadFile(path, maxProfile)
	if err != nil {
		return Profile{}, fmt.Errorf("load profile: %w", err)
	}
	p, err := ParseProfile(path, src)
	if err != nil {
		return Profile{}, err
	}
	if err := p.Resolve(filepath.Dir(path)); err != nil {
		return Profile{}, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// Resolve reads the files of p, relative to dir: replay files into Samples, and the
// answer into Body.Content. Errors name the file, the line and the text.
func (p *Profile) Resolve(dir string) error {
	return errors.Join(p.resolveDelays(dir), p.resolveAnswer(dir))
}

// resolveAnswer reads the file of the answer and counts its records.
func (p *Profile) resolveAnswer(dir string) error {
	if p.Body.File == "" || p.Body.Content != "" {
		return nil
	}
	file := p.Body.File
	if !filepath.IsAbs(file) {
		file = filepath.Join(dir, file)
	}
	fail := func(path string, err error) error {
		return &strictyaml.Error{Path: path, Reason: err.Error(), Err: err}
	}
	if err := strictyaml.CheckRegular(file); err != nil {
		return fail("body.file", fmt.Errorf("read the answer: %w", err))
	}
	answer, err := strictyaml.ReadFile(file, maxAnswer)
	if err != nil {
		return fail("body.file", fmt.Errorf("read the answer: %w", err))
	}
	list, err := Records(answer, p.RecordsPath())
	if err != nil {
		return fail("body.file", fmt.Errorf("%s: %w", file, err))
	}
	p.Body.Content, p.Body.Count = string(answer), countRecords(list)
	return nil
}

func (p *Profile) resolveDelays(dir string) error {
	return p.eachLatency(func(field string, d *Distribution) error {
		if d.Kind != "replay" || d.File == "" || len(d.Samples) > 0 {
			return nil
		}
		file := d.File
		if !filepath.IsAbs(file) {
			file = filepath.Join(dir, file)
		}
		samples, err := readSamples(file)
		if err != nil {
			return &strictyaml.Error{Path: field + ".file", Reason: err.Error(), Err: err}
		}
		d.Samples = samples
		return nil
	})
}

// eachLatency calls visit for the distributions of the profile and its phases.
func (p *Profile) eachLatency(visit func(field string, d *Distribution) error) error {
	errs := []error{visit("latency", &p.Latency)}
	for i, phase := range p.Phases {
		if phase.Latency != nil {
			errs = append(errs, visit(fmt.Sprintf("phases[%d].latency", i), phase.Latency))
		}
	}
	return errors.Join(errs...)
}

func readSamples(path string) ([]Duration, error) {
	if err := strictyaml.CheckRegular(path); err != nil {
		return nil, fmt.Errorf("read replay: %w", err)
	}
	src, err := strictyaml.ReadFile(path, maxReplay)
	if err != nil {
		return nil, fmt.Errorf("read replay: %w", err)
	}
	if src, err = strictyaml.Text(src); err != nil {
		return nil, fmt.Errorf("%s:%w", path, err)
	}
	var samples []Duration
	line := 0
	for text := range strings.SplitSeq(string(src), "\n") {
		line++
		text = strings.TrimSpace(text)
		if text == "" || text[0] == '#' {
			continue
		}
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, line, err)
		}
		if d < 0 || d > Duration(maxDelay) {
			return nil, fmt.Errorf("%s:%d: a delay must be 0s to %v (got %q)", path, line, maxDelay, text)
		}
		samples = append(samples, d)
	}
	if len(samples) == 0 {
		return nil, fmt.Errorf("%s has no delays; write one duration a line", path)
	}
	return samples, nil
}

// ParseProfile parses a profile in YAML and validates it. Its error is
// [strictyaml.Errors] about the file called name. It does not read replay
// files and answers; see [Profile.Resolve].
func ParseProfile(name string, src []byte) (Profile, error) {
	var p Profile
	doc, err := strictyaml.Decode(name, src, &p, nil)
	if err != nil {
		return Profile{}, err
	}
	doc.Report(p.Validate())
	if err := doc.Err(); err != nil {
		return Profile{}, err
	}
	return p, nil
}
