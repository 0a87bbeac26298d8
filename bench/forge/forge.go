// Package forge keeps one comment on a pull request of GitHub or a merge request of GitLab
// up to date:
//
//	c, err := forge.OfJob(os.LookupEnv) // the request that this CI job is about
//	url, err := c.Put(ctx, "gate", markdown)
//
// A hidden first line of the comment has its name, by which the next job finds and
// replaces it.
package forge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Comments are those on one request.
type Comments struct {
	list   string // address of the list, which also receives a new one
	edit   func(id int64) string
	method string // of a replacement
	header http.Header
	token  string
	client *http.Client
}

// Variables that hold the token: the one that GitHub gives a job, and one of a GitLab
// project or user with the scope api, which the job's own token does not have.
const (
	gitHubToken = "GITHUB_TOKEN"
	gitLabToken = "FLOODGATE_GITLAB_TOKEN"
)

// pullRequest is the reference of a pull request's merge commit.
var pullRequest = regexp.MustCompile(`^refs/pull/([0-9]+)/`)

// OfJob returns the comments on the request that a job of GitHub Actions or GitLab CI is
// about, which their variables name. A job that is about no request, and a missing token,
// are errors.
func OfJob(lookup func(string) (string, bool)) (*Comments, error) {
	get := func(name string) string { value, _ := lookup(name); return value }
	c := &Comments{header: http.Header{"Content-Type": {"application/json"}}, client: &http.Client{
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // it would get the token
	}}
	switch {
	case get("GITHUB_ACTIONS") != "":
		m := pullRequest.FindStringSubmatch(get("GITHUB_REF"))
		if m == nil {
			return nil, fmt.Errorf("this job is not about a pull request (GITHUB_REF is %q)", get("GITHUB_REF"))
		}
		if c.token = get(gitHubToken); c.token == "" {
			return nil, errors.New(gitHubToken + " is not set: give the step env: {GITHUB_TOKEN: \"${{ github.token }}\"} and the job permissions: {pull-requests: write}")
		}
		issues := get("GITHUB_API_URL") + "/repos/" + get("GITHUB_REPOSITORY") + "/issues/"
		c.list, c.method = issues+m[1]+"/comments", http.MethodPatch
		c.edit = func(id int64) string { return issues + "comments/" + strconv.FormatInt(id, 10) }
		c.header.Set("Authorization", "Bearer "+c.token)
		c.header.Set("Accept", "application/vnd.github+json")
	case get("GITLAB_CI") != "":
		number := get("CI_MERGE_REQUEST_IID")
		if number == "" {
			return nil, errors.New("this job is not about a merge request (CI_MERGE_REQUEST_IID is not set)")
		}
		if c.token = get(gitLabToken); c.token == "" {
			return nil, errors.New(gitLabToken + " is not set: it needs a token of the project with the scope api")
		}
		c.list, c.method = get("CI_API_V4_URL")+"/projects/"+url.PathEscape(get("CI_PROJECT_ID"))+"/merge_requests/"+number+"/notes", http.MethodPut
		c.edit = func(id int64) string { return c.list + "/" + strconv.FormatInt(id, 10) }
		c.header.Set("PRIVATE-TOKEN", c.token)
	default:
		return nil, errors.New("this is not a job of GitHub Actions or GitLab CI (neither GITHUB_ACTIONS nor GITLAB_CI is set)")
	}
	if _, err := url.ParseRequestURI(c.list); err != nil {
		return nil, fmt.Errorf("the job's variables do not form an address: %w", err)
	}
	return c, nil
}

// comment is one of either forge.
type comment struct {
	ID   int64  `json:"id,omitempty"`
	Body string `json:"body"`
	HTML string `json:"html_url,omitempty"`
}

// page is the number of comments that are asked for at once, which is the most that both
// forges give.
const page = 100

// Put replaces the comment of that name with the text, or creates it, and returns its
// address, which is empty for GitLab. Comments that merely look like it and belong to
// somebody else are left alone. Errors do not contain the token.
func (c *Comments) Put(ctx context.Context, name, text string) (string, error) {
	marker := "<!-- floodgate: " + strings.ReplaceAll(name, "--", "-") + " -->\n"
	body, err := json.Marshal(comment{Body: marker + text})
	if err != nil {
		return "", err
	}
	for number := 1; ; number++ {
		var all []comment
		if err := c.do(ctx, http.MethodGet, fmt.Sprintf("%s?per_page=%d&page=%d", c.list, page, number), nil, &all); err != nil {
			return "", err
		}
		for _, old := range all {
			if !strings.HasPrefix(strings.ReplaceAll(old.Body, "\r\n", "\n"), marker) {
				continue
			}
			var changed comment
			err := c.do(ctx, c.method, c.edit(old.ID), body, &changed)
			if refused := (*statusError)(nil); errors.As(err, &refused) && refused.code != http.StatusUnauthorized && refused.code < 500 {
				continue // somebody else's, or deleted meanwhile
			}
			return changed.HTML, err
		}
		if len(all) < page {
			break
		}
	}
	var created comment
	err = c.do(ctx, http.MethodPost, c.list, body, &created)
	return created.HTML, err
}

// statusError is an answer other than success.
type statusError struct {
	code int
	text string
}

func (e *statusError) Error() string { return e.text }

// maxAnswer bounds an answer in bytes: 100 comments of the largest size fit.
const maxAnswer = 32 << 20

// do sends a request and decodes the answer.
func (c *Comments) do(ctx context.Context, method, address string, body []byte, into any) error {
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header = c.header
	res, err := c.client.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, address, err)
	}
	if res.StatusCode/100 != 2 {
		why := strings.ReplaceAll(string(text[:min(len(text), 300)]), c.token, "***")
		return &statusError{res.StatusCode, fmt.Sprintf("%s %s: %s: %s", method, address, res.Status, why)}
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s %s: the answer is not that of the API: %w", method, address, err)
	}
	return nil
}
