package strictyaml

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// SyntaxError describes a text that could not be read as YAML, and where.
type SyntaxError struct {
	// Line and Column count from 1, the column in characters; zero means unknown.
	Line, Column int
	// Message describes the mistake, in one line.
	Message string
}

// Error returns the message, preceded by the position where it is known.
func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return e.Message
	}
	return fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.Message)
}

// Parse parses a YAML file into its syntax tree. It is the only caller of the
// YAML library's parser, because that needs help: the text is normalized first
// (see [Text]), columns are corrected, a text that is nested too deeply is
// refused, and a panic of the parser becomes an error. Every error is a
// [SyntaxError].
//
// For example, Parse reports line 2 for "a: 1\r\nb: [", and so it does for the
// same text with a byte-order mark or with other line ends.
func Parse(src []byte) (*ast.File, error) {
	return parseWith(src, func(text []byte) (*ast.File, error) {
		tokens := lexer.Tokenize(string(text))
		if err := checkDepth(tokens); err != nil {
			return nil, err
		}
		return parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	})
}

// maxDepth bounds how deeply brackets and entries of a line may be nested. The
// parser recurses for each level, takes quadratic time, and cannot be recovered
// from when the stack is exhausted.
const maxDepth = 100

// checkDepth returns an error at the token that opens one level too many.
func checkDepth(tokens token.Tokens) error {
	brackets, entries, line := 0, 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			entries, line = 0, t.Position.Line
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			brackets++
		case token.SequenceEndType, token.MappingEndType:
			brackets--
		case token.SequenceEntryType, token.MappingKeyType, token.TagType, token.AnchorType:
			entries++
		}
		if brackets > maxDepth || entries > maxDepth {
			return &SyntaxError{t.Position.Line, t.Position.Column, fmt.Sprintf("nested more than %d levels deep; simplify the file", maxDepth)}
		}
	}
	return nil
}

// parseFunc parses a text and may panic.
type parseFunc func(text []byte) (*ast.File, error)

func parseWith(src []byte, parse parseFunc) (*ast.File, error) {
	text, err := Text(src)
	if err != nil {
		return nil, err
	}
	file, err, crashed := parse.try(text)
	if crashed {
		return nil, &SyntaxError{Line: parse.crashLine(text), Column: 1, Message: fmt.Sprintf(
			"not YAML: the parser crashed here (%s); check the brackets, quotes and indentation of this line", firstLine(err.Error()))}
	}
	if err != nil {
		return nil, newSyntaxError(err)
	}
	correctColumns(file, text)
	return file, nil
}

// try calls the parser. If the parser panics, crashed is true and err describes the panic.
func (parse parseFunc) try(text []byte) (file *ast.File, err error, crashed bool) {
	defer func() {
		if cause := recover(); cause != nil {
			file, err, crashed = nil, fmt.Errorf("%v", cause), true
		}
	}()
	file, err = parse(text)
	return file, err, false
}

// crashLine returns the line at which the parser begins to panic: it panics on
// the text up to that line, and not on the text before it.
func (parse parseFunc) crashLine(text []byte) int {
	var ends []int // of each line
	for i, b := range text {
		if b == '\n' {
			ends = append(ends, i+1)
		}
	}
	return 1 + sort.Search(len(ends), func(i int) bool {
		_, _, crashed := parse.try(text[:ends[i]])
		return crashed
	})
}

func newSyntaxError(err error) *SyntaxError {
	var own *SyntaxError
	if errors.As(err, &own) {
		return own
	}
	var located yaml.Error
	if !errors.As(err, &located) || located.GetToken() == nil {
		return &SyntaxError{Message: "not YAML: " + firstLine(err.Error())}
	}
	at := located.GetToken().Position
	return &SyntaxError{max(at.Line, 1), max(at.Column, 1), "not YAML: " + firstLine(located.GetMessage())}
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// correctColumns corrects the columns of values that are followed by spaces:
// the parser counts those as if they stood before the value.
func correctColumns(file *ast.File, text []byte) {
	lines := strings.Split(string(text), "\n")
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.GetToken() == nil {
			continue
		}
		first := doc.Body.GetToken()
		for first.Prev != nil {
			first = first.Prev
		}
		for t := first; t != nil; t = t.Next {
			lastOfLine := t.Next == nil || t.Next.Position.Line > t.Position.Line
			if at := t.Position; lastOfLine && at.Line >= 1 && at.Line <= len(lines) && at.Column >= 1 {
				correctColumn(t, lines[at.Line-1])
			}
		}
	}
}

// correctColumn corrects the column of the last token of a line.
func correctColumn(t *token.Token, line string) {
	switch t.Type {
	case token.SingleQuoteType, token.DoubleQuoteType, token.CommentType: // whose value differs from the text in the file
		return
	}
	runes, from := []rune(line), t.Position.Column-1
	if from > len(runes) || strings.HasPrefix(string(runes[from:]), t.Value) || strings.TrimRight(line, " \t") == line {
		return
	}
	before := string(runes[:min(len(runes), from+utf8.RuneCountInString(t.Value))])
	if i := strings.LastIndex(before, t.Value); i >= 0 {
		t.Position.Column = utf8.RuneCountInString(before[:i]) + 1
	}
}

// Text returns a text file as UTF-8 without a byte-order mark, with a line feed
// after each line, whatever line ends it had. Lines and columns stay those that
// an editor shows. A text in another encoding, or with control characters,
// which no text file has, is a [SyntaxError].
func Text(src []byte) ([]byte, error) {
	if name := otherEncoding(src); name != "" {
		return nil, &SyntaxError{1, 1, "the file is encoded as " + name + "; save it as UTF-8"}
	}
	text := string(src)
	for strings.HasPrefix(text, byteOrderMark) { // YAML allows several
		text = text[len(byteOrderMark):]
	}
	text = lineEnds.Replace(text)
	line, column := 1, 1
	for i, r := range text {
		switch {
		case r == '\n':
			line, column = line+1, 1
			continue
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], "\uFFFD"):
			return nil, &SyntaxError{line, column, fmt.Sprintf("byte 0x%02X is not UTF-8; save the file as UTF-8", text[i])}
		case r < ' ' && r != '\t':
			return nil, &SyntaxError{line, column, fmt.Sprintf("control character %U is not allowed in a text file; remove it", r)}
		}
		column++
	}
	return []byte(text), nil
}

const byteOrderMark = "\uFEFF"

// lineEnds replaces the line ends of Windows and classic Mac OS.
var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// otherEncoding returns the name of the encoding of a text that is not UTF-8,
// detected by its first bytes according to YAML 1.2 (section 5.2). It returns ""
// if the text may be UTF-8.
func otherEncoding(src []byte) string {
	var b [4]byte
	for i := range b {
		b[i] = 1 // a byte that indicates no encoding
	}
	copy(b[:], src)
	switch {
	case b[0] == 0 && b[1] == 0, b[0] == 0xFF && b[1] == 0xFE && b[2] == 0 && b[3] == 0, b[0] != 0 && b[1] == 0 && b[2] == 0 && b[3] == 0:
		return "UTF-32"
	case b[0] == 0xFE && b[1] == 0xFF, b[0] == 0xFF && b[1] == 0xFE, len(src) > 1 && (b[0] == 0) != (b[1] == 0):
		return "UTF-16"
	}
	return ""
}

// CheckRegular returns an error unless path leads to a regular file: opening a named pipe
// may block, and a device may be endless.
func CheckRegular(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	var kind string
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		kind = "a directory"
	case mode&fs.ModeNamedPipe != 0:
		kind = "a named pipe"
	case mode&fs.ModeDevice != 0:
		kind = "a device"
	default:
		kind = "a special file"
	}
	return fmt.Errorf("%s is %s; it must be a regular file", path, kind)
}

// ReadFile reads a file of at most limit bytes. A larger one is an error, and no
// more than the limit is read: the file may be endless, such as /dev/zero.
func ReadFile(path string, limit int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err == nil && len(src) > limit {
		err = fmt.Errorf("%s is larger than %d bytes, the maximum for such a file; check the path", path, limit)
	}
	if err != nil {
		return nil, err
	}
	return src, nil
}
