package main

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"floodgate/bench/cli"
)

// documents writes the man pages and completions into a folder, and returns them with the
// other files that every archive has.
func documents(dir string, at time.Time) ([]file, error) {
	root := cli.NewRoot(io.Discard, io.Discard, nil)
	root.DisableAutoGenTag = true // it has the day of today
	man, completions := filepath.Join(dir, "man"), filepath.Join(dir, "completions")
	for _, folder := range []string{man, completions} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return nil, err
		}
	}
	header := &doc.GenManHeader{Title: "FLOODGATE", Section: "1", Date: &at, Source: "Floodgate " + cli.Version, Manual: "Floodgate"}
	if err := doc.GenManTree(root, header, man); err != nil {
		return nil, err
	}
	if err := complete(root, completions); err != nil {
		return nil, err
	}
	all := []file{{"LICENSE", "LICENSE", 0o644}, {"README.md", "README.md", 0o644}}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		all = append(all, file{filepath.ToSlash(name), path, 0o644})
		return err
	})
	return all, err
}

// complete writes a completion script a shell.
func complete(root *cobra.Command, dir string) error {
	for name, generate := range map[string]func(path string) error{
		"floodgate.bash": func(path string) error { return root.GenBashCompletionFileV2(path, true) },
		"_floodgate":     root.GenZshCompletionFile,
		"floodgate.fish": func(path string) error { return root.GenFishCompletionFile(path, true) },
		"floodgate.ps1":  root.GenPowerShellCompletionFileWithDesc,
	} {
		if err := generate(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}
