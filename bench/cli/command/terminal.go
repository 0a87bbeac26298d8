package command

import (
	"io"
	"os"
	"strconv"

	"golang.org/x/term"

	"floodgate/bench/progress"
	"floodgate/results/text"
)

// Terminal describes the terminal that w writes to: its width, and whether to
// write in color, which depends on NO_COLOR and CI. Without a terminal, or if its
// width is unknown, COLUMNS is the width; zero means that the width is unknown.
func Terminal(w io.Writer) text.Options {
	f, ok := w.(*os.File)
	if !ok || !progress.IsTerminal(f) {
		return text.Options{Width: columns(os.Getenv)}
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width < 1 {
		width = columns(os.Getenv)
	}
	return text.Options{Width: width, Color: os.Getenv("NO_COLOR") == "" && progress.Styled(os.Getenv)}
}

// columns returns the width in COLUMNS; zero means that it is not a positive number.
func columns(getenv func(string) string) int {
	n, err := strconv.Atoi(getenv("COLUMNS"))
	if err != nil {
		return 0
	}
	return max(n, 0)
}
