package plan

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"floodgate/bench/cli/command"
	"floodgate/results"
	"floodgate/results/summary"
	"floodgate/results/whatif"
)

func newPlanPredict(stdout io.Writer) *cobra.Command {
	var root, format string
	cmd := &cobra.Command{
		Use:   "predict RUN KEY=VALUE…",
		Short: "Predict the effect of a change by simulation",
		Example: `  floodgate plan predict latest limit=64
  floodgate plan predict latest items=1e6 limit=64 upstream.p50=80ms hosts=40`,
		Long: `Simulates with the times that a stored run or plan measured at two or more
limits, and states its error for the measured points. It measures nothing.

  limit=64         items at once of a host; staged: writers=N, queue=N
  strategy=S       sequential, unbounded or joined, with limit; default bounded
  items=1e6        of all hosts together (default the most that was measured)
  hosts=40         that share them (default 1), each with pool=N connections
  upstream.p50, upstream.p99, database.p50=80ms
                   of a fetch and of a write, at the lowest limit
  rate=200         requests a second that the upstream allows
  capacity=50      requests that the upstream serves at once`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := command.PredictionFormats.Check(format); err != nil {
				return err
			}
			answer, err := predict(args[0], strings.Join(args[1:], ","), root)
			if err != nil {
				return command.Usage(err)
			}
			if err := command.PredictionFormats.Print(stdout, format, answer); err != nil {
				return command.NotMeasured(err)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&root, "out", DefaultRoot, "`folder` of plans")
	command.PredictionFormats.Flag(cmd.Flags(), &format)
	return cmd
}

// predict returns the predicted effect of the changes, from a run or plan below
// root or below the folder of runs.
func predict(name, changes, root string) (*whatif.Answer, error) {
	spec, err := whatif.Parse(changes)
	if err != nil {
		return nil, err
	}
	if spec.Limit == 0 && spec.Strategy == "" {
		return nil, fmt.Errorf("%s has no limit: add limit=N, strategy=sequential or strategy=unbounded", changes)
	}
	stored, err := command.OpenEither(name, root, command.DefaultRoot)
	if err != nil {
		return nil, err
	}
	points, err := pointsOf(stored)
	if err != nil {
		return nil, err
	}
	sweep, err := whatif.NewSweep(points)
	if err != nil {
		return nil, fmt.Errorf("predict from %s: %w", stored.Path, err)
	}
	return sweep.Answer(spec)
}

func pointsOf(stored *results.Run) ([]whatif.Point, error) {
	if stored.Header.Search {
		if _, _, err := foundIn(stored); errors.Is(err, errCutOff) { // only the trials are needed
			return nil, err
		}
		return whatif.FromPlan(stored)
	}
	index, err := summary.NewIndex(stored)
	if err != nil {
		return nil, err
	}
	return whatif.FromRun(index)
}
