package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

const vegetaScenario = `version: 1
name: saved
title: Saved for vegeta
seed: 7
items: {kind: phone-numbers}
service: {report_items: 2, arrivals: {rate: 50}, duration: 100ms}
upstream:
  latency: {distribution: constant, value: 1ms}
variants:
  - {strategy: bounded, limit: 10}
levels:
  - sut.nofile: 256
blocks: 6
`

// What --save-vegeta writes, vegeta's own decoder reads: every request of every trial.
func TestSaveVegeta(t *testing.T) {
	dir := t.TempDir()
	scenario, saved := filepath.Join(dir, "saved.yaml"), filepath.Join(dir, "results.gob")
	if err := os.WriteFile(scenario, []byte(vegetaScenario), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	args := []string{"run", scenario, "--env", "embedded", "--quiet", "--out", filepath.Join(dir, "runs"), "--save-vegeta", saved}
	if code := run(context.Background(), args, &stdout, &stderr); code != exitHeld {
		t.Fatalf("exit code %d\n%s%s", code, &stderr, &stdout)
	}
	file, err := os.Open(saved)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	decoder := vegeta.DecoderFor(file)
	attacks := map[string]int{}
	for {
		var r vegeta.Result
		err := decoder.Decode(&r)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if r.Code != 200 || !strings.HasPrefix(r.Attack, "bounded-10 sut.nofile=256 block=") {
			t.Errorf("result %+v", r)
		}
		attacks[r.Attack]++
	}
	if len(attacks) != 6 {
		t.Errorf("attacks %v, want one a block", attacks)
	}
	for name, n := range attacks {
		if n != 5 {
			t.Errorf("%s has %d requests, want 5", name, n)
		}
	}
}
