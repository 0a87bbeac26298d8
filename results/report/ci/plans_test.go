package ci_test

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"floodgate/results/report/ci"
	"floodgate/results/report/internal/reporttest"
)

func TestWhatIfMarkdown(t *testing.T) {
	for name, a := range reporttest.Predictions() {
		var out bytes.Buffer
		if err := ci.WhatIfMarkdown(&out, a); err != nil {
			t.Fatal(err)
		}
		reporttest.Golden(t, "whatif."+name+".md", out.Bytes())
	}
}

func TestLimitsMarkdown(t *testing.T) {
	for name, plan := range reporttest.LimitPlans(t) {
		var out bytes.Buffer
		if err := ci.LimitsMarkdown(&out, plan); err != nil {
			t.Fatal(err)
		}
		reporttest.Golden(t, "limits."+name+".md", out.Bytes())
	}
}

func TestRatesMarkdown(t *testing.T) {
	for name, plan := range reporttest.RatePlans() {
		var out bytes.Buffer
		if err := ci.RatesMarkdown(&out, plan); err != nil {
			t.Fatal(err)
		}
		reporttest.Golden(t, name+".md", out.Bytes())
	}
}

// Markdown renders the texts of a plan only as text, whatever they contain: only our own
// fences close fences, and outside of them no text starts a line or a tag.
func TestHostilePlan(t *testing.T) {
	base := reporttest.LimitPlans(t)["passed"]
	rapid.Check(t, func(t *rapid.T) {
		text := func() string { return texts.Draw(t, "text") }
		limits := *base
		limits.Scenario, limits.Level, limits.Environment.Database, limits.Machine.CPU, limits.Records = text(), text(), text(), text(), text()
		limits.Unmeasured = text()
		rates := reporttest.EveryEnd()
		rates.Scenario, rates.Level, rates.Environment.Upstream, rates.Records = text(), text(), text(), text()
		for i := range rates.Variants {
			rates.Variants[i].Variant, rates.Variants[i].Unmeasured = text(), text()
		}
		var out bytes.Buffer
		if err := ci.LimitsMarkdown(&out, &limits); err != nil {
			t.Fatal(err)
		}
		if err := ci.RatesMarkdown(&out, rates); err != nil {
			t.Fatal(err)
		}
		fence := ""
		for line := range strings.Lines(out.String()) {
			line = strings.TrimSuffix(line, "\n")
			ticks := strings.HasPrefix(line, "```") && strings.Trim(line, "`") == ""
			switch {
			case fence == "" && ticks:
				fence = line
			case fence == line:
				fence = ""
			case fence != "" && ticks && len(line) >= len(fence):
				t.Fatalf("%q closes a fence of %q", line, fence)
			case fence == "" && line != "" && !strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "|-") && !strings.HasPrefix(line, "- ") &&
				!strings.HasPrefix(line, "**") && !strings.HasPrefix(line, "##") && !strings.HasPrefix(line, "L: "):
				t.Fatalf("a line of its own: %q", line)
			case fence == "" && strings.ContainsAny(line, "<>"):
				t.Fatalf("a tag: %q", line)
			}
			if strings.ContainsAny(line, "\x00\x1b\r") {
				t.Fatalf("control characters: %q", line)
			}
		}
		if fence != "" {
			t.Fatalf("a fence %q is not closed", fence)
		}
	})
}
