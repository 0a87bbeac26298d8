package doctor_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"charm.land/lipgloss/v2"
	"github.com/google/go-cmp/cmp"

	"floodgate/bench/doctor"
	"floodgate/results"
	"floodgate/results/text"
)

var update = flag.Bool("update", false, "write the golden files")

func report() doctor.Report {
	return doctor.Report{
		Machine:      results.Fingerprint{CPU: "Some CPU @ 2.50GHz", Cores: 2, OS: "linux", Arch: "amd64", Kernel: "6.18.0", Go: "go1.26.8"},
		Environments: []string{"embedded"},
		Checks: []doctor.Check{
			{Name: "cores", Status: doctor.OK, Found: "2 cores, GOMAXPROCS 2"},
			{Name: "docker", Status: doctor.Warning, Found: "connect to the container engine at unix:///var/run/docker.sock: no such file or directory", Advice: "only containers need an engine: without one, runs use --env embedded; to start one:\nsudo systemctl start docker"},
			{Name: "docker build", Status: doctor.Unknown, Found: "no container engine answers", Advice: "see docker"},
		},
	}
}

func TestText(t *testing.T) {
	bad := report()
	bad.Environments = nil
	bad.Checks = append(bad.Checks, doctor.Check{Name: "loopback", Status: doctor.Failed, Found: "network is unreachable", Advice: "set it up:\nsudo ip link set lo up"})
	for name, r := range map[string]doctor.Report{"good": report(), "bad": bad} {
		for _, width := range []int{80, 120} {
			t.Run(fmt.Sprint(name, width), func(t *testing.T) {
				var out, colored bytes.Buffer
				if err := r.Text(&out, text.Options{Width: width}); err != nil {
					t.Fatal(err)
				}
				for l := range strings.Lines(out.String()) {
					if w := lipgloss.Width(strings.TrimSuffix(l, "\n")); w > width {
						t.Errorf("%d columns: %q", w, l)
					}
				}
				golden(t, fmt.Sprintf("%s.%d.txt", name, width), out.Bytes())
				if err := r.Text(&colored, text.Options{Width: width, Color: true}); err != nil {
					t.Fatal(err)
				}
				if bytes.Contains(out.Bytes(), []byte("\x1b")) || !bytes.Contains(colored.Bytes(), []byte("\x1b[")) {
					t.Errorf("escape sequences in\n%q\nor none in\n%q", &out, &colored)
				}
			})
		}
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
