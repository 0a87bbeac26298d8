// Package revision finds the git commit that a folder or a command belongs to,
// without changing the repository.
//
// In a repository whose HEAD is 1a2b3c… and whose file main.go was edited,
//
//	r, ok := revision.OfCommand(ctx, []string{"python3", "sut/main.py"})
//
// returns the commit 1a2b3c…, Modified, and true.
package revision

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Revision is the state of a working tree.
type Revision struct {
	// Top is the folder of the working tree.
	Top string
	// Commit is the full hash of HEAD.
	Commit string
	// Modified reports that tracked files differ from the commit.
	Modified bool
}

// localVariables lists the variables that bind git to one repository. Git sets
// them for its hooks, where they would redirect every git command, even in
// another folder. They are those of "git rev-parse --local-env-vars" except
// GIT_CONFIG_PARAMETERS and GIT_CONFIG_COUNT, which configure git, for example
// with a safe.directory, and which git itself passes on to other repositories.
var localVariables = []string{
	"GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_CONFIG", "GIT_OBJECT_DIRECTORY", "GIT_DIR", "GIT_WORK_TREE",
	"GIT_IMPLICIT_WORK_TREE", "GIT_GRAFT_FILE", "GIT_INDEX_FILE", "GIT_NO_REPLACE_OBJECTS", "GIT_REPLACE_REF_BASE",
	"GIT_PREFIX", "GIT_INTERNAL_SUPER_PREFIX", "GIT_SHALLOW_FILE", "GIT_COMMON_DIR", "GIT_NAMESPACE",
	"GIT_DEFAULT_REF_FORMAT", "GIT_QUARANTINE_PATH",
}

// Environ returns the environment of this process without the variables that
// bind git to one repository: git then finds the one of its working folder.
func Environ() []string {
	return slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains(localVariables, name)
	})
}

// Of returns the revision of the working tree that contains the folder dir; an
// empty dir means the working folder. It returns false if there is no such tree
// or git is not installed.
func Of(ctx context.Context, dir string) (Revision, bool) {
	top, err := git(ctx, dir, "rev-parse", "--show-toplevel")
	if err != nil || top == "" {
		return Revision{}, false
	}
	commit, err := git(ctx, dir, "rev-parse", "--verify", "HEAD")
	if err != nil {
		return Revision{}, false
	}
	status, err := git(ctx, top, "status", "--porcelain", "--untracked-files=no")
	return Revision{Top: top, Commit: commit, Modified: err != nil || status != ""}, true
}

// OfCommand returns the revision of the working tree of the program of a
// command, or else that of the first argument that names a file or folder in
// one. A program found in PATH comes last: the project of "python3 main.py" is
// that of main.py, even if the interpreter is in a repository, too, as with
// pyenv. It never falls back to the working folder, which may belong to another
// project, but returns false.
func OfCommand(ctx context.Context, words []string) (Revision, bool) {
	paths := slices.Clone(words)
	if len(words) > 0 && !strings.ContainsAny(words[0], "/"+string(filepath.Separator)) {
		paths = paths[1:]
		if found, err := exec.LookPath(words[0]); err == nil {
			paths = append(paths, found)
		}
	}
	for _, path := range paths {
		if dir, ok := folderOf(path); ok {
			if r, ok := Of(ctx, dir); ok {
				return r, true
			}
		}
	}
	return Revision{}, false
}

// folderOf returns the folder of path after following symbolic links: path
// itself if it is a folder. It returns false if path does not exist.
func folderOf(path string) (string, bool) {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", false
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", false
	}
	if info.IsDir() {
		return path, true
	}
	return filepath.Dir(path), true
}

// git runs git without optional locks: otherwise a status would refresh the index.
func git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	cmd.Env = append(Environ(), "GIT_OPTIONAL_LOCKS=0")
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
}
