package against

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// Split splits a command line into words, as a POSIX shell does. It returns an
// error for a line without words and for one that needs a shell: pipes, lists,
// redirections, variables, patterns, comments.
func Split(line string) ([]string, error) {
	words, err := split(line)
	if err != nil {
		return nil, fmt.Errorf("command %q: %w; no shell runs it: quote it, or use sh -c '…'", line, err)
	}
	return words, nil
}

// pattern is an unquoted character that a shell expands.
var pattern = regexp.MustCompile(`^~|^(\\.|[^\\])*?[*?[]|\\$`)

func split(line string) ([]string, error) {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX), syntax.KeepComments(true)).Parse(strings.NewReader(line), "")
	if err != nil {
		return nil, err
	}
	if len(file.Stmts) != 1 || len(file.Last) > 0 {
		return nil, errors.New("not one command")
	}
	stmt := file.Stmts[0]
	call, simple := stmt.Cmd.(*syntax.CallExpr)
	if !simple || len(call.Assigns)+len(stmt.Redirs)+len(stmt.Comments) > 0 || stmt.Negated || stmt.Background || stmt.Semicolon.IsValid() {
		return nil, errors.New("not a plain command")
	}
	for _, word := range call.Args {
		if err := literal(word); err != nil {
			return nil, err
		}
	}
	words, err := expand.Fields(new(expand.Config), call.Args...)
	if err != nil {
		return nil, err
	}
	if words[0] == "" {
		return nil, errors.New("no program")
	}
	return words, nil
}

// literal returns an error for a word that a shell would expand.
func literal(word *syntax.Word) (err error) {
	for _, part := range word.Parts {
		if lit, ok := part.(*syntax.Lit); ok && pattern.MatchString(lit.Value) {
			return fmt.Errorf("a pattern, %s", lit.Value)
		}
	}
	syntax.Walk(word, func(node syntax.Node) bool {
		switch node.(type) {
		case nil, *syntax.Word, *syntax.Lit, *syntax.SglQuoted, *syntax.DblQuoted:
		default:
			err = errors.New("an expansion")
		}
		return true
	})
	return err
}
