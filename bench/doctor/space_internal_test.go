package doctor

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"floodgate/bench/environment/scratch"
)

func TestMemory(t *testing.T) {
	const v2 = "0::/app\n"
	for _, tt := range []struct {
		name      string
		available uint64
		err       error
		files     map[string]string
		want      Status
		words     string
	}{
		{"plenty", 3 * gibibyte, nil, nil, OK, "3.0 GiB available"},
		{"little", 700 * mebibyte, nil, nil, Warning, "700 MiB"},
		{"too little", 100 * mebibyte, nil, nil, Failed, "100 MiB"},
		{"unknown", 0, errors.New("no such call"), nil, Unknown, "no such call"},
		{"control group", 3 * gibibyte, nil, map[string]string{"proc/self/cgroup": v2, "sys/fs/cgroup/app/memory.max": "536870912", "sys/fs/cgroup/app/memory.current": "104857600"}, Warning, "412 MiB left to the control group"},
		{"no limit", 3 * gibibyte, nil, map[string]string{"proc/self/cgroup": v2, "sys/fs/cgroup/app/memory.max": "max"}, OK, "available"},
		{"cache is not used", 3 * gibibyte, nil, map[string]string{"proc/self/cgroup": v2, "sys/fs/cgroup/app/memory.max": "2147483648", "sys/fs/cgroup/app/memory.current": "2147400000", "sys/fs/cgroup/app/memory.stat": "anon 20000000\ninactive_file 2000000000\n"}, OK, "1.9 GiB left to the control group"},
		{"version 1", 3 * gibibyte, nil, map[string]string{"proc/self/cgroup": "4:memory:/a", "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "104857600", "sys/fs/cgroup/memory/a/memory.usage_in_bytes": "204857600"}, Failed, "0 MiB left"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := sources{files: tree(tt.files), available: func() (uint64, error) { return tt.available, tt.err }}
			expect(t, s.memory(), tt.want, tt.words)
		})
	}
}

func TestSpace(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "not", "yet")
	denied := &fs.PathError{Op: "open", Path: "x", Err: fs.ErrPermission}
	for _, tt := range []struct {
		name     string
		room     room
		err      error
		writable error
		lockable error
		want     Status
		words    string
	}{
		{"plenty", room{bytes: 70 * gibibyte, files: 1e6, known: true}, nil, nil, nil, OK, "70.0 GiB free for " + missing},
		{"little", room{bytes: 500 * mebibyte}, nil, nil, nil, Warning, "500 MiB"},
		{"full", room{bytes: 5 * mebibyte}, nil, nil, nil, Failed, "df -h "},
		{"no files", room{bytes: gibibyte, files: 3, known: true}, nil, nil, nil, Failed, "3 more files"},
		{"read only", room{bytes: gibibyte}, nil, denied, nil, Failed, "cannot be written to"},
		{"no locks", room{bytes: gibibyte}, nil, nil, &scratch.LockError{Dir: "x", Err: errors.New("no locks available")}, Failed, "file locks do not work"},
		{"unknown", room{}, errors.New("no such call"), nil, nil, Unknown, "no such call"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := sources{
				free: func(dir string) (room, error) {
					if dir != filepath.Dir(filepath.Dir(missing)) {
						t.Errorf("asked of %q", dir)
					}
					return tt.room, tt.err
				},
				writable: func(string) error { return tt.writable },
				lockable: func(string) error { return tt.lockable },
			}
			expect(t, s.space("disk for runs", missing), tt.want, tt.words)
			expect(t, s.space("disk for data", missing), tt.want)
		})
	}
}

func TestPrograms(t *testing.T) {
	dir := t.TempDir()
	expect(t, thisMachine().programs(dir), OK, dir)
	for _, tt := range []struct {
		err   error
		want  Status
		words string
	}{
		{&scratch.ExecError{Dir: dir, Err: fs.ErrPermission}, Warning, "set TMPDIR"},
		{&fs.PathError{Op: "open", Path: dir, Err: fs.ErrNotExist}, Unknown, dir},
	} {
		s := sources{executable: func(string) error { return tt.err }}
		expect(t, s.programs(dir), tt.want, tt.words)
	}
}

func TestWritable(t *testing.T) {
	dir := t.TempDir()
	if err := writable(dir); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left %v", left)
	}
	if writable(filepath.Join(dir, "missing")) == nil {
		t.Error("written to a folder that is not there")
	}
}

// A folder of runs cannot be created below a file.
func TestSpaceBelowAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	expect(t, thisMachine().space("disk for runs", filepath.Join(file, "runs")), Failed, file)
}
