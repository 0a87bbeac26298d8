package cli

import (
	"io"
	"strings"
	"testing"

	"floodgate/bench/cli/command"
	"floodgate/results"
)

func TestARunIsNotResumedWithOtherProcessorsOrAnotherProgram(t *testing.T) {
	begun := results.Setting{Fingerprint: results.Fingerprint{Cores: 64, GOMAXPROCS: 64}, SUT: &results.SUT{Revision: "a"}}
	if err := mixable(begun, begun); err != nil {
		t.Error(err)
	}
	quota, program, older := begun, begun, begun
	quota.Fingerprint.CPUQuota = 1
	program.SUT = &results.SUT{Revision: "a", Modified: true}
	older.Fingerprint.GOMAXPROCS = 0
	for how, now := range map[string]results.Setting{
		"processors GOMAXPROCS 64 and GOMAXPROCS 64, CPU quota 1 core": quota,
		"revision of the program a and a with changes":                 program,
	} {
		if err := mixable(begun, now); err == nil || !strings.HasSuffix(err.Error(), "cannot be mixed with new ones (then and now): "+how) {
			t.Errorf("%v, want %s", err, how)
		}
	}
	if err := mixable(older, begun); err != nil { // it did not record them
		t.Error(err)
	}
}

// The recorded command contains what determines the measurement: no flags of the output,
// and no addresses, which may contain a password.
func TestReproduceCommand(t *testing.T) {
	for _, c := range []struct{ command, args, want string }{
		{"run", "", "run mine.yaml --env embedded"},
		{"run", "--quick --quiet --out x --env auto --metrics 9090", "run mine.yaml --quick --env embedded"},
		{"run", "--quick=false --mongo-uri mongodb://me:secret@db --allow-target db --allow-target api", "run mine.yaml --allow-target db --allow-target api --env embedded"},
		{"plan limit", "--format html --quick --max-limit 64 --p99 200ms", "plan limit mine.yaml --max-limit 64 --p99 200ms --quick --env embedded"},
		{"plan rate", "--limits 4,16 --window 3s --max-rate 20", "plan rate mine.yaml --limits 4,16 --max-rate 20 --window 3s --env embedded"},
	} {
		cmd, _, err := NewRoot(io.Discard, io.Discard, nil).Find(strings.Fields(c.command))
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.ParseFlags(strings.Fields(c.args)); err != nil {
			t.Fatal(err)
		}
		got := strings.Join(command.Reproduce(cmd, "mine.yaml").In(results.Environment{Kind: "embedded"}), " ")
		if got != c.want || strings.Contains(got, "secret") {
			t.Errorf("%s %s: %s, want %s", c.command, c.args, got, c.want)
		}
	}
}
