package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"floodgate/bench/cli/command"
	"floodgate/results"
	"floodgate/results/shards"
	"floodgate/scenarios"
)

// mergeOptions are the flags of "merge".
type mergeOptions struct {
	partial              bool
	root, format, idFile string
}

func newMerge(stdout io.Writer) *cobra.Command {
	var o mergeOptions
	cmd := &cobra.Command{
		Use:   "merge RUN…",
		Short: "Merge the shards of a run, from several machines, into one record",
		Example: `  floodgate run --shard 1/2 mine.yaml --out /tmp/one  # on one machine
  floodgate run --shard 2/2 mine.yaml --out /tmp/two  # on another
  floodgate merge /tmp/one/ID /tmp/two/ID             # with both folders here`,
		Long: `Stores the record of the fleet whose hosts ran as shards, and judges it. RUN is
named as in "report". All shards must be there, each once, with the same
scenario, seed, number of shards, build and environment.

Latencies, errors, descriptors and documents are exact. The machines have no
common clock and did not start together: the makespan of the fleet is unknown,
and claims about it are inconclusive. A trial that is invalid in one shard is
invalid; one that a shard has not run is missing.

--partial merges the shards that are there. Nothing is judged then, and the
record can be merged with the other ones, in any order.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("name the records of the shards to merge")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, names []string) error { return o.run(stdout, names) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.partial, "partial", false, "merge although shards are missing")
	flags.StringVar(&o.root, "out", command.DefaultRoot, "`folder` of stored runs")
	command.RunFormats.Flag(flags, &o.format)
	flags.StringVar(&o.idFile, "id-file", "", "`file` for the ID of the merged run")
	return cmd
}

func (o *mergeOptions) run(stdout io.Writer, names []string) error {
	if err := command.RunFormats.Check(o.format); err != nil {
		return err
	}
	if err := checkIDFile(o.idFile); err != nil {
		return err
	}
	all := make([]*results.Run, 0, len(names))
	for _, name := range names {
		run, err := command.OpenRun(o.root, name)
		if err != nil {
			return command.Usage(err)
		}
		all = append(all, run)
	}
	merged, err := shards.Merge(all...)
	if err != nil {
		return command.Usage(err)
	}
	if merged.Header.Shard != nil && !o.partial {
		return command.Usage(missing(merged.Header))
	}
	if err := command.CheckRoot(o.root); err != nil {
		return command.Usage(err)
	}
	stored, err := o.store(merged)
	if err != nil {
		return command.NotMeasured(err)
	}
	return printRun(stdout, stored, "", o.format)
}

// missing returns the error about the shards that a merge lacks, with the command that
// runs the first of them.
func missing(h results.Header) error {
	lacking := h.Shard.Missing()
	are, others := "is missing; run it", ""
	if n := len(lacking.Numbers); n > 1 {
		are, others = "are missing; run them", fmt.Sprintf(" and so on up to %d/%d", lacking.Numbers[n-1], lacking.Of)
	}
	if len(lacking.Numbers) == 2 {
		others = fmt.Sprintf(" and %d/%d", lacking.Numbers[1], lacking.Of)
	}
	first := scenarios.Shard{Number: lacking.Numbers[0], Of: lacking.Of}
	again := []string{"run", "--shard", first.Flag()}
	if words := h.Merged[0].Command; slices.Contains(words, "--shard") {
		again = slices.Clone(words)
		again[slices.Index(words, "--shard")+1] = first.Flag()
	}
	return fmt.Errorf("%v %s with: floodgate %s%s; or merge the others with --partial, which judges nothing",
		lacking, are, strings.Join(again, " "), others)
}

// store stores the merged record and reads it back.
func (o *mergeOptions) store(merged *results.Run) (*results.Run, error) {
	merged.Header.ID = results.NewID(time.Now())
	store, err := results.Create(o.root, merged.Header)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	for _, t := range merged.Trials {
		if err == nil {
			err = store.Append(t)
		}
	}
	if err == nil && merged.Complete {
		err = store.Finish()
	}
	if err == nil {
		err = writeID(o.idFile, store.ID())
	}
	if err != nil {
		return nil, errors.Join(err, store.Close(), os.RemoveAll(store.Dir()))
	}
	return results.Open(store.Dir())
}
