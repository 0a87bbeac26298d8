package abtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"floodgate/results/revision"
)

// Repository is a git repository, which is never changed.
type Repository struct {
	// Top is the directory of its working tree.
	Top string
}

// UnknownRefError reports that git does not know a commit by that name.
type UnknownRefError struct {
	Ref  string
	Tail string // the end of git's output
	// Shallow reports that the clone lacks a part of the history, which may contain the
	// commit.
	Shallow bool
}

func (e *UnknownRefError) Error() string {
	if e.Shallow {
		return fmt.Sprintf("commit %q: this clone is shallow and does not contain that commit; fetch the history with \"git fetch --unshallow\", in GitHub Actions with \"fetch-depth: 0\" of actions/checkout (git: %s)", e.Ref, e.Tail)
	}
	return fmt.Sprintf("commit %q: this repository has no such commit; name a branch, a tag or a commit such as HEAD~1 (git: %s)", e.Ref, e.Tail)
}

// OpenRepository finds the repository that contains dir.
func OpenRepository(ctx context.Context, dir string) (*Repository, error) {
	r := &Repository{Top: dir}
	top, err := r.git(ctx, nil, "rev-parse", "--show-toplevel")
	if err != nil && os.Getenv("GIT_DIR") != "" {
		err = fmt.Errorf("%w\n  (GIT_DIR is ignored: the folder decides)", err)
	}
	if err != nil {
		return nil, fmt.Errorf("find the repository of %s: %w", dir, err)
	}
	if r.Top = strings.TrimSpace(top); r.Top == "" {
		return nil, fmt.Errorf("the repository of %s has no working tree; use a clone that is not bare", dir)
	}
	if r.Top, err = filepath.EvalSymlinks(r.Top); err != nil {
		return nil, fmt.Errorf("find the repository of %s: %w", dir, err)
	}
	return r, nil
}

// git runs git without optional locks, because otherwise status would refresh the index. It
// removes git's variables, which in a hook would refer to another repository.
func (r *Repository) git(ctx context.Context, env []string, args ...string) (string, error) {
	cmd := command(ctx, r.Top, "git", args...)
	cmd.Env = append(revision.Environ(), "GIT_OPTIONAL_LOCKS=0", "GIT_LFS_SKIP_SMUDGE=1", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C")
	cmd.Env = append(cmd.Env, env...)
	return output(ctx, cmd)
}

// Commit returns the full hash of the commit that ref names, or an [UnknownRefError].
func (r *Repository) Commit(ctx context.Context, ref string) (string, error) {
	hash, err := r.git(ctx, nil, "rev-parse", "--verify", "--end-of-options", ref+"^{commit}")
	var failed *CommandError
	if errors.As(err, &failed) {
		shallow, err := r.git(ctx, nil, "rev-parse", "--is-shallow-repository")
		return "", errors.Join(&UnknownRefError{
			Ref: ref, Tail: strings.TrimPrefix(failed.Tail, "fatal: "), Shallow: strings.TrimSpace(shallow) == "true",
		}, err)
	}
	return strings.TrimSpace(hash), err
}

// Changes returns the files of the working tree that differ from its commit, including new
// ones, in git's short format.
func (r *Repository) Changes(ctx context.Context) ([]string, error) {
	text, err := r.git(ctx, nil, "status", "--porcelain", "--untracked-files=normal")
	if err != nil {
		return nil, fmt.Errorf("look for changes in %s: %w", r.Top, err)
	}
	if text = strings.TrimRight(text, "\n"); text == "" {
		return nil, nil
	}
	return strings.Split(text, "\n"), nil
}

// Extract writes the files of a commit into the directory dir with an index in temp, so that
// the repository does not change. The notes name what git does not store itself:
// submodules, which are missing, and files of Git LFS, which stay pointers.
func (r *Repository) Extract(ctx context.Context, commit, temp, dir string) (notes []string, err error) {
	fail := func(err error) ([]string, error) {
		return nil, fmt.Errorf("write out %s: %w", commit, err)
	}
	index := []string{"GIT_INDEX_FILE=" + filepath.Join(temp, "index")}
	if _, err := r.git(ctx, index, "read-tree", commit); err != nil {
		return fail(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fail(err)
	}
	// A configured LFS filter could download files into the repository.
	if _, err := r.git(ctx, index, "-c", "filter.lfs.process=", "-c", "filter.lfs.smudge=cat", "-c", "filter.lfs.required=false",
		"checkout-index", "--all", "--quiet", "--prefix="+dir+string(filepath.Separator)); err != nil {
		return fail(err)
	}
	staged, err := r.git(ctx, index, "ls-files", "--stage")
	if err != nil {
		return fail(err)
	}
	submodules := 0
	for line := range strings.Lines(staged) {
		if strings.HasPrefix(line, "160000 ") {
			submodules++
		}
	}
	if submodules > 0 {
		notes = append(notes, fmt.Sprintf("the other revision has %d submodules, which are empty in its build", submodules))
	}
	attributes, err := os.ReadFile(filepath.Join(dir, ".gitattributes"))
	if err == nil && strings.Contains(string(attributes), "filter=lfs") {
		notes = append(notes, "the other revision has Git LFS files, which are pointers in its build")
	}
	return notes, nil
}
