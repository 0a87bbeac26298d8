package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"floodgate/bench/environment"
	"floodgate/bench/environment/target"
	"floodgate/scenarios/pipeline/calllog"
	"floodgate/scenarios/pipeline/dialcount"
)

// targets reads where the user's servers are.
func (f environmentFlags) targets(u *setup) error {
	if err := u.options.Policy.Validate(); err != nil {
		return err
	}
	uri, err := target.Source{Flag: "--mongo-uri", Value: f.mongoURI, File: f.mongoURIFile, Env: "FLOODGATE_MONGO_URI", Stdin: os.Stdin}.Read()
	if err != nil {
		return err
	}
	if uri != "" {
		if u.options.Mongo, err = target.ParseMongo(uri); err != nil {
			return err
		}
	}
	url, err := target.Source{Flag: "--upstream-url", Value: f.upstreamURL, File: f.upstreamURLFile, Env: "FLOODGATE_UPSTREAM_URL", Stdin: os.Stdin}.Read()
	if err != nil {
		return err
	}
	if url != "" {
		u.options.Upstream, err = target.ParseUpstream(url)
	}
	return err
}

// tryUpstream fetches one item before a run that would fail on every one.
func (u *setup) tryUpstream(ctx context.Context, env *environment.Environment) error {
	fetcher, err := calllog.NewHTTPFetcher(calllog.HTTPOptions{
		BaseURL: env.UpstreamURL(), Timeout: tryTimeout, Dialer: &dialcount.Counter{Dial: u.options.Policy.DialContext},
	})
	if err != nil {
		return err
	}
	defer fetcher.Close()
	if _, err := fetcher.Fetch(ctx, calllog.NewItem(u.first...)); err != nil {
		return errors.New(env.Scrub(fmt.Sprintf("try the upstream with the first item, %s: %v", strings.Join(u.first, "/"), err)))
	}
	return nil
}

// tryAgain is tryUpstream for a run to ask later; nil: the upstream is a mock.
func (u *setup) tryAgain(env *environment.Environment) func(context.Context) error {
	if env.Mock() {
		return nil
	}
	return func(ctx context.Context) error { return u.tryUpstream(ctx, env) }
}

// tryTimeout bounds that one request.
const tryTimeout = 30 * time.Second
