package forge_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"floodgate/bench/forge"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stub is the API of a forge for one request.
type stub struct {
	list, edit, token string
	mu                sync.Mutex
	bodies            []string // of the comments; the ID is the index + 1
	foreign           []int    // IDs that may not be changed
	calls             []string
	fail              int // status of every answer; 0 means none
}

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, r.Method)
	answer := func(code int, v any) {
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(v)
	}
	if s.fail != 0 || !slices.Contains(append(r.Header["Authorization"], r.Header["Private-Token"]...), s.token) {
		answer(max(s.fail, http.StatusUnauthorized), map[string]string{"message": "not with " + s.token})
		return
	}
	var sent struct {
		Body string `json:"body"`
	}
	_ = json.NewDecoder(r.Body).Decode(&sent)
	id, isEdit := strings.CutPrefix(r.URL.Path, s.edit)
	switch {
	case r.Method == http.MethodGet && r.URL.Path == s.list:
		size, _ := strconv.Atoi(r.URL.Query().Get("per_page"))
		number, _ := strconv.Atoi(r.URL.Query().Get("page"))
		from := min((number-1)*size, len(s.bodies))
		all := []map[string]any{}
		for i, body := range s.bodies[from:min(from+size, len(s.bodies))] {
			all = append(all, map[string]any{"id": from + i + 1, "body": body, "user": map[string]any{"login": "x"}})
		}
		answer(http.StatusOK, all)
	case r.Method == http.MethodPost && r.URL.Path == s.list:
		s.bodies = append(s.bodies, sent.Body)
		answer(http.StatusCreated, map[string]any{"id": len(s.bodies), "html_url": fmt.Sprintf("https://forge/%d", len(s.bodies))})
	case isEdit && (r.Method == http.MethodPatch || r.Method == http.MethodPut):
		n, err := strconv.Atoi(id)
		if err != nil || slices.Contains(s.foreign, n) {
			answer(http.StatusForbidden, map[string]string{"message": "not yours"})
			return
		}
		s.bodies[n-1] = sent.Body
		answer(http.StatusOK, map[string]any{"id": n, "html_url": "https://forge/" + id})
	default:
		answer(http.StatusNotFound, map[string]string{"message": r.Method + " " + r.URL.Path})
	}
}

// forges returns a stub of each forge with the variables of a job.
func forges(t *testing.T) map[string]struct {
	*stub
	job map[string]string
} {
	gitHub := &stub{list: "/api/repos/team/report/issues/17/comments", edit: "/api/repos/team/report/issues/comments/", token: "Bearer secret"}
	gitLab := &stub{list: "/api/v4/projects/42/merge_requests/17/notes", edit: "/api/v4/projects/42/merge_requests/17/notes/", token: "secret"}
	a, b := httptest.NewServer(gitHub), httptest.NewServer(gitLab)
	t.Cleanup(a.Close)
	t.Cleanup(b.Close)
	return map[string]struct {
		*stub
		job map[string]string
	}{
		"GitHub": {gitHub, map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/pull/17/merge", "GITHUB_REPOSITORY": "team/report", "GITHUB_API_URL": a.URL + "/api", "GITHUB_TOKEN": "secret"}},
		"GitLab": {gitLab, map[string]string{"GITLAB_CI": "true", "CI_MERGE_REQUEST_IID": "17", "CI_PROJECT_ID": "42", "CI_API_V4_URL": b.URL + "/api/v4", "FLOODGATE_GITLAB_TOKEN": "secret"}},
	}
}

func lookup(job map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { value, ok := job[name]; return value, ok }
}

func put(t *testing.T, job map[string]string, name, text string) error {
	t.Helper()
	c, err := forge.OfJob(lookup(job))
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Put(t.Context(), name, text)
	return err
}

// There is one comment of each name, however often it is written and however many others
// there are.
func TestOneComment(t *testing.T) {
	for name, f := range forges(t) {
		t.Run(name, func(t *testing.T) {
			for i := range 250 {
				f.bodies = append(f.bodies, fmt.Sprint("somebody says ", i, " <!-- floodgate: gate -->"))
			}
			for _, text := range []string{"first", "second"} {
				for _, called := range []string{"gate", "bench"} {
					if err := put(t, f.job, called, text); err != nil {
						t.Fatal(err)
					}
				}
			}
			want := []string{"<!-- floodgate: gate -->\nsecond", "<!-- floodgate: bench -->\nsecond"}
			if diff := cmp.Diff(want, f.bodies[250:]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A comment of somebody else that has the marker is left alone, and there is one of our own.
func TestSomebodyElsesComment(t *testing.T) {
	for name, f := range forges(t) {
		t.Run(name, func(t *testing.T) {
			f.bodies, f.foreign = []string{"<!-- floodgate: gate -->\r\ntheirs"}, []int{1}
			for _, text := range []string{"first", "second"} {
				if err := put(t, f.job, "gate", text); err != nil {
					t.Fatal(err)
				}
			}
			want := []string{"<!-- floodgate: gate -->\r\ntheirs", "<!-- floodgate: gate -->\nsecond"}
			if diff := cmp.Diff(want, f.bodies); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Errors name the request and the reason, and not the token.
func TestRefused(t *testing.T) {
	for name, f := range forges(t) {
		t.Run(name, func(t *testing.T) {
			for _, code := range []int{http.StatusUnauthorized, http.StatusNotFound, http.StatusBadGateway} {
				f.fail = code
				err := put(t, f.job, "gate", "text")
				if err == nil || !strings.Contains(err.Error(), fmt.Sprint(code)) || !strings.Contains(err.Error(), f.list) || strings.Contains(err.Error(), "secret") {
					t.Error(err)
				}
			}
			if len(f.bodies) > 0 {
				t.Error(f.bodies)
			}
		})
	}
}

func TestOfJob(t *testing.T) {
	for want, change := range map[string]func(job map[string]string){
		"not about a": func(job map[string]string) {
			job["GITHUB_REF"] = "refs/heads/main"
			delete(job, "CI_MERGE_REQUEST_IID")
		},
		"TOKEN is not set":    func(job map[string]string) { delete(job, "GITHUB_TOKEN"); delete(job, "FLOODGATE_GITLAB_TOKEN") },
		"not a job of GitHub": func(job map[string]string) { delete(job, "GITHUB_ACTIONS"); delete(job, "GITLAB_CI") },
		"do not form an address": func(job map[string]string) {
			delete(job, "GITHUB_API_URL")
			job["GITHUB_API_URL"] = "x y"
			job["CI_API_V4_URL"] = "x y"
		},
	} {
		for name, f := range forges(t) {
			change(f.job)
			if _, err := forge.OfJob(lookup(f.job)); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: %v, want %q", name, err, want)
			}
		}
	}
}
