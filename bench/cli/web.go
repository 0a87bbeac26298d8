package cli

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"floodgate/bench/cli/command"
	"floodgate/bench/experiment"
	"floodgate/bench/web"
	"floodgate/mockupstream"
	"floodgate/results"
	"floodgate/results/claims"
	"floodgate/scenarios"
)

// webPage is the page of --web, which follows the run.
type webPage struct {
	addr   string
	server *web.Server // nil means without --web
}

// freePort is the address of --web without a value.
const freePort = "0"

func (p *webPage) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.addr, "web", "", "show the run in a browser; loopback `address`")
	cmd.Flags().Lookup("web").NoOptDefVal = freePort
}

// serve starts to serve the page of a scenario, if --web is set, and prints its URL.
func (p *webPage) serve(cmd *cobra.Command, names []string, stderr io.Writer) error {
	if !cmd.Flags().Changed("web") {
		return nil
	}
	if i := slices.IndexFunc(names, isAddress); i >= 0 {
		return command.Usage(fmt.Errorf("--web and its address are one word: --web=%s", names[i]))
	}
	if len(names) > 1 {
		return command.Usage(fmt.Errorf("--web needs exactly one scenario (got %d)", len(names)))
	}
	addr, err := mockupstream.LoopbackAddress(cmp.Or(p.addr, freePort))
	if err != nil {
		return command.Usage(fmt.Errorf("--web: %w", err))
	}
	if p.server, err = web.Serve(cmd.Context(), addr); err != nil {
		return command.NotMeasured(fmt.Errorf("--web: %w; --web alone picks a free port", err))
	}
	fmt.Fprintln(stderr, "web:", p.server.URL()) // with --quiet as well: nobody could guess it
	return nil
}

// isAddress reports whether an argument was meant as the address of --web.
func isAddress(name string) bool {
	_, err := mockupstream.LoopbackAddress(name)
	return err == nil
}

// progress returns the receivers of a run's progress: the given one and, with --web, the page.
func (p *webPage) progress(view experiment.Progress, id string, s *scenarios.Scenario) experiment.Progress {
	if p.server == nil {
		return view
	}
	return both{view, p.server.Progress(id, s)}
}

// finish turns the page into the report of the run, and waits a short time for the browsers
// that show it. The scenario is in file, as for printRun.
func (p *webPage) finish(ctx context.Context, stderr io.Writer, stored *results.Run, file string) {
	if p.server == nil {
		return
	}
	page, err := renderedPage(stored, file)
	if err != nil {
		fmt.Fprintln(stderr, "floodgate: --web: the report could not be shown:", err)
		return
	}
	p.server.Finish(ctx, page)
}

// renderedPage returns what report --format html prints.
func renderedPage(stored *results.Run, file string) ([]byte, error) {
	v, err := claims.Judge(stored)
	if err != nil {
		return nil, err
	}
	j, err := command.JudgedRun(stored, v, file)
	if err != nil {
		return nil, err
	}
	var page bytes.Buffer
	err = command.RunFormats.Print(&page, command.FormatHTML, j)
	return page.Bytes(), err
}

// close ends the page; one that is still open says that there is no report.
func (p *webPage) close() {
	if p.server != nil {
		p.server.Close()
	}
}
