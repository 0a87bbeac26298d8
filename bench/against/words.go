package against

import (
	"fmt"
	"strings"
)

// Split splits a command line into words: at spaces and tabs, except in 'single'
// or "double" quotes and after a backslash (in double quotes: before " and \
// alone). There is no shell: what would need one is refused, and so is a line
// without words.
func Split(line string) ([]string, error) {
	refused := func(what string) error {
		return fmt.Errorf("command %q: %s: no shell runs it; allowed: words, quoted where they hold such, or sh -c '…'", line, what)
	}
	var words []string
	var word strings.Builder
	begun, escaped := false, false
	var quote rune
	for _, r := range line {
		switch {
		case escaped:
			if quote == '"' && r != '"' && r != '\\' {
				word.WriteByte('\\')
			}
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped, begun = true, true
		case r == quote:
			quote = 0
		case quote == '"' && (r == '$' || r == '`'):
			return nil, refused(string(r))
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, begun = r, true
		case r == ' ' || r == '\t':
			if begun {
				words = append(words, word.String())
				word.Reset()
				begun = false
			}
		case strings.ContainsRune("|&;<>()$`\n*?[#~", r) && (!strings.ContainsRune("#~", r) || !begun):
			return nil, refused(string(r))
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	switch {
	case quote != 0:
		return nil, refused("a quote without its end")
	case escaped:
		return nil, refused(`a backslash at the end`)
	case begun:
		words = append(words, word.String())
	}
	if len(words) == 0 || words[0] == "" {
		return nil, refused("no program")
	}
	return words, nil
}
