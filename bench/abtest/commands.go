package abtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"

	results "floodgate/results/pairs"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// Commands describes a comparison of commands.
type Commands struct {
	// A and B are the words of the commands.
	A, B []string
	// Metric is the metric that decides: wall, cpu or rss.
	Metric string
	// Measure runs a command once; see [NewMeasurer].
	Measure Measurer
	// Log receives every pair as it ends.
	Log *Log
	// Progress is called after every pair with the greatest number of pairs.
	Progress func(pairs, most int)
}

// CommandPair is a line of the record: one run of each command, one right after the other.
type CommandPair struct {
	Pair   int      `json:"pair"` // from 0
	BFirst bool     `json:"b_first"`
	A      Measured `json:"a"`
	B      Measured `json:"b"`
}

// RunCommands measures pairs of the two commands, after a warm-up run of each, until the
// design of the outcome decides, and judges them. If a command fails, the outcome is
// unmeasured. The error is that of ctx or of the record.
func RunCommands(ctx context.Context, v *results.Outcome, c Commands) error {
	r := &commandRun{Commands: c, verdict: v, judged: results.CommandPairs{Metric: c.Metric, Pairs: map[string][]results.Pair{}}}
	order := rand.New(rand.NewPCG(v.Seed, 0))
	most := v.Design.At[len(v.Design.At)-1]
	for pair := -1; pair < most; pair++ {
		p := CommandPair{Pair: pair, BFirst: order.IntN(2) == 1}
		if err := r.measure(ctx, &p); err != nil {
			return err
		}
		if v.Unmeasured == "" && pair >= 0 {
			if err := c.Log.Append(p); err != nil {
				return err
			}
			r.add(p)
		}
		r.judged.Complete = v.Unmeasured != "" || pair+1 == most
		if err := results.JudgeCommands(v, r.judged); err != nil {
			return err
		}
		if r.judged.Complete || !v.Open() {
			break
		}
		if pair >= 0 {
			c.Progress(pair+1, most)
		}
	}
	return v.SetAchieved()
}

type commandRun struct {
	Commands
	verdict *results.Outcome
	judged  results.CommandPairs
}

// measure runs both commands in the pair's order, until one fails.
func (r *commandRun) measure(ctx context.Context, p *CommandPair) error {
	sides := []struct {
		name  string
		words []string
		into  *Measured
	}{{"A", r.A, &p.A}, {"B", r.B, &p.B}}
	if p.BFirst {
		sides[0], sides[1] = sides[1], sides[0]
	}
	for _, side := range sides {
		m, err := r.Measure(ctx, side.words)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			m.Failed = err.Error()
		}
		*side.into = m
		if m.Failed != "" {
			when := fmt.Sprintf("in pair %d", p.Pair+1)
			if p.Pair < 0 {
				when = "in its first run, which is not counted"
			}
			r.verdict.Unmeasured = fmt.Sprintf("%s failed %s: %s", side.name, when, m.Failed)
			return nil
		}
	}
	return nil
}

// add adds the figures that both sides have.
func (r *commandRun) add(p CommandPair) {
	for metric, pair := range map[string]results.Pair{
		results.Wall: {A: float64(p.A.Wall), B: float64(p.B.Wall)},
		results.CPU:  {A: float64(p.A.User + p.A.System), B: float64(p.B.User + p.B.System)},
		results.RSS:  {A: float64(p.A.PeakRSS), B: float64(p.B.PeakRSS)},
	} {
		if pair.A > 0 && pair.B > 0 {
			r.judged.Pairs[metric] = append(r.judged.Pairs[metric], pair)
			continue
		}
		if metric != r.Metric {
			continue
		}
		r.verdict.Unmeasured = fmt.Sprintf("--metric %s: pair %d has no value for it", metric, p.Pair+1)
		if metric == results.RSS {
			r.verdict.Unmeasured += "; a value below that of this program itself cannot be measured"
		}
	}
}

// SplitCommand splits a command line into words like a POSIX shell. A line without words, and one
// that needs a shell (pipes, lists, redirections, variables, patterns, comments), are errors.
func SplitCommand(line string) ([]string, error) {
	words, err := split(line)
	if err != nil {
		return nil, fmt.Errorf("command %q: %w; the command does not run in a shell: quote it, or use sh -c '…'", line, err)
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
