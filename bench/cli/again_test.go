package cli

import (
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"floodgate/results"
)

// What is asked for again is what decides what is measured: nothing about
// printing, and no address, which may hold a password.
func TestAgain(t *testing.T) {
	for _, c := range []struct {
		cmd        *cobra.Command
		args, want string
	}{
		{newRun(io.Discard, io.Discard), "", "run mine.yaml --env embedded"},
		{newRun(io.Discard, io.Discard), "--quick --quiet --out x --env auto --metrics 9090", "run mine.yaml --quick --env embedded"},
		{newRun(io.Discard, io.Discard), "--quick=false --mongo-uri mongodb://me:secret@db --allow-target db --allow-target api", "run mine.yaml --allow-target db --allow-target api --env embedded"},
		{newPlan(io.Discard, io.Discard), "--format html --quick --max-limit 64 --p99 200ms", "plan mine.yaml --max-limit 64 --p99 200ms --quick --env embedded"},
		{newPlan(io.Discard, io.Discard), "--rate --limits 4,16 --window 3s --max-rate 20", "plan mine.yaml --limits 4,16 --max-rate 20 --rate --window 3s --env embedded"},
	} {
		if err := c.cmd.ParseFlags(strings.Fields(c.args)); err != nil {
			t.Fatal(err)
		}
		got := strings.Join(again(c.cmd, "mine.yaml").in(results.Environment{Kind: "embedded"}), " ")
		if got != c.want || strings.Contains(got, "secret") {
			t.Errorf("%s: %s, want %s", c.args, got, c.want)
		}
	}
}
