package ci

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"path"
	"strings"

	"floodgate/results/text"
	"floodgate/results/verdict"
)

const (
	sarifVersion = "2.1.0"
	sarifSchema  = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)

// SARIF renders a judgment as SARIF 2.1.0: one rule per check, and a result for each
// one that failed or could not be measured (error), is inconclusive or only warns
// (warning), or had nothing to judge (note). Notes are notifications of the invocation. A
// result has a location if the
// scenario's file is known, which GitHub's code scanning requires.
func SARIF(j Judgment) []byte {
	run := sarifRun{
		Tool:        sarifTool{Driver: sarifDriver{Name: "floodgate", Version: j.Version, Rules: []sarifRule{}}},
		Automation:  sarifID{ID: "floodgate/" + j.Name + "/" + j.ID},
		Invocations: []sarifInvocation{{Successful: j.Decision != verdict.NotMeasured, Code: j.Decision.ExitCode(), Description: j.Headline}},
		Results:     []sarifResult{},
	}
	for _, n := range j.Notes {
		run.Invocations[0].Notes = append(run.Invocations[0].Notes, sarifNote{Level: "note", Text: sarifText{clean(n)}})
	}
	index := make(map[string]int)
	levels := map[verdict.Decision]string{verdict.Failed: "error", verdict.NotMeasured: "error", verdict.Inconclusive: "warning", verdict.Warned: "warning", verdict.NotJudged: "note"}
	for _, c := range j.Checks {
		id := clean(c.ID) // two that JSON would write alike are one
		if _, ok := index[id]; !ok {
			index[id] = len(run.Tool.Driver.Rules)
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{ID: id, Short: sarifText{cmp.Or(clean(c.Statement), id, text.None)}})
		}
		if c.Decision == verdict.Passed {
			continue
		}
		run.Results = append(run.Results, sarifResult{
			Rule: id, Index: index[id], Level: levels[c.Decision], Text: sarifText{cleanLines(c.Title + "\n" + c.Text)},
			Locations: j.locations(c), Prints: map[string]string{"floodgateClaim/v1": fingerprint(j.Name, c)}, Properties: c.Properties,
		})
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(sarifLog{Schema: sarifSchema, Version: sarifVersion, Runs: []sarifRun{run}}); err != nil { // no field of it can fail
		panic(err)
	}
	return out.Bytes()
}

// locations returns the position of the check, or the beginning of the scenario's
// file.
func (j Judgment) locations(c Check) []sarifLocation {
	file := path.Clean(j.File)
	if file == "." { // none, or the repository's root, which has no URI in it
		return nil
	}
	var l sarifLocation
	l.Physical.Region.Line = max(c.Line, 1)
	l.Physical.Artifact.URI, l.Physical.Artifact.Base = artifact(file)
	return []sarifLocation{l}
}

// artifact returns a file's URI and its base, as GitHub expects them.
func artifact(file string) (uri, base string) {
	if path.IsAbs(file) {
		return (&url.URL{Scheme: "file", Path: file}).String(), ""
	}
	return strings.TrimPrefix((&url.URL{Path: file}).String(), "./"), "%SRCROOT%"
}

// fingerprint returns a text that is the same for a check of a scenario in every
// run, so that a server can recognize old results. It includes the title for trials
// that were not measured.
func fingerprint(scenario string, c Check) string {
	words := scenario + "\x00" + c.ID
	if c.Properties == nil {
		words += "\x00" + c.Title
	}
	sum := sha256.Sum256([]byte(words))
	return hex.EncodeToString(sum[:16])
}

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool        sarifTool         `json:"tool"`
	Automation  sarifID           `json:"automationDetails"`
	Invocations []sarifInvocation `json:"invocations"`
	Results     []sarifResult     `json:"results"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name    string      `json:"name"`
	Version string      `json:"version,omitempty"`
	Rules   []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID    string    `json:"id"`
	Short sarifText `json:"shortDescription"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifID struct {
	ID string `json:"id"`
}

type sarifInvocation struct {
	Successful  bool   `json:"executionSuccessful"`
	Code        int    `json:"exitCode"`
	Description string `json:"exitCodeDescription"`
	// Notes holds the caveats of the judgment.
	Notes []sarifNote `json:"toolExecutionNotifications,omitempty"`
}

type sarifNote struct {
	Level string    `json:"level"`
	Text  sarifText `json:"message"`
}

type sarifResult struct {
	Rule       string            `json:"ruleId"`
	Index      int               `json:"ruleIndex"`
	Level      string            `json:"level"`
	Text       sarifText         `json:"message"`
	Locations  []sarifLocation   `json:"locations,omitempty"`
	Prints     map[string]string `json:"partialFingerprints"`
	Properties map[string]string `json:"properties,omitempty"`
}

type sarifLocation struct {
	Physical struct {
		Artifact struct {
			URI  string `json:"uri"`
			Base string `json:"uriBaseId,omitempty"`
		} `json:"artifactLocation"`
		Region struct {
			Line int `json:"startLine"`
		} `json:"region"`
	} `json:"physicalLocation"`
}
