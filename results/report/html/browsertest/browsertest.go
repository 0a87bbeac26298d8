// Package browsertest opens pages in Chromium for tests. For example,
//
//	p := browsertest.Start(t).Open(url)
//	p.Loaded(1)
//	var title string
//	p.Eval(`document.title`, &title)
//
// It waits for events of the browser (DevTools protocol), never for a time.
package browsertest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// Path returns the path of Chromium; the test is skipped without it.
func Path(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("FLOODGATE_REQUIRE_CHROMIUM") == "1" {
		t.Fatal("FLOODGATE_REQUIRE_CHROMIUM=1, and no chromium or google-chrome is in PATH")
	}
	t.Skip("no chromium or google-chrome is in PATH")
	return ""
}

// Args returns the arguments of a Chromium without a window that makes no requests of its
// own. Its profile is in dir.
func Args(dir string) []string {
	args := []string{
		"--headless=new", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--disable-default-apps", "--disable-features=NetworkTimeServiceQuerying", "--user-data-dir=" + dir,
	}
	if os.Geteuid() == 0 {
		args = append(args, "--no-sandbox") // Chromium refuses to run as root with its sandbox
	}
	return args
}

// patience bounds the wait for the browser, so that a test that waits in vain says for what.
const patience = 3 * time.Minute

// Browser is a running Chromium.
type Browser struct {
	t  testing.TB
	in io.Writer

	mu      sync.Mutex
	last    int
	answers map[int]chan message
	pages   map[string]*Page
	ended   chan struct{}
}

// message is one of the DevTools protocol.
type message struct {
	ID        int             `json:"id,omitempty"`
	SessionID string          `json:"sessionId,omitempty"`
	Method    string          `json:"method,omitempty"`
	Params    json.RawMessage `json:"params,omitempty"`
	Result    json.RawMessage `json:"result,omitempty"`
	Error     json.RawMessage `json:"error,omitempty"`
}

// Start starts a browser, which ends with the test.
func Start(t testing.TB) *Browser {
	t.Helper()
	commands, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, events, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.Command(Path(t), append(Args(t.TempDir()), "--remote-debugging-pipe", "about:blank")...)
	cmd.Stderr, cmd.ExtraFiles = &stderr, []*os.File{commands, events}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	commands.Close()
	events.Close()
	b := &Browser{t: t, in: in, answers: map[int]chan message{}, pages: map[string]*Page{}, ended: make(chan struct{})}
	go b.read(out)
	t.Cleanup(func() {
		b.call("", "Browser.close", nil, nil)
		<-b.ended
		in.Close()
		out.Close()
		_ = cmd.Wait() // its status says nothing after Browser.close
		if t.Failed() {
			t.Logf("the browser's standard error:\n%s", &stderr)
		}
	})
	return b
}

// read distributes the messages of the browser until it ends.
func (b *Browser) read(out io.Reader) {
	defer close(b.ended)
	for in := bufio.NewReader(out); ; {
		text, err := in.ReadBytes(0)
		if err != nil {
			return
		}
		var m message
		if json.Unmarshal(bytes.TrimRight(text, "\x00"), &m) != nil {
			continue
		}
		b.mu.Lock()
		answer, page := b.answers[m.ID], b.pages[m.SessionID]
		delete(b.answers, m.ID)
		b.mu.Unlock()
		switch {
		case m.ID > 0 && answer != nil:
			answer <- m
		case page != nil:
			page.see(m)
		}
	}
}

// call sends a command and decodes its result.
func (b *Browser) call(session, method string, params, into any) {
	b.t.Helper()
	text, err := json.Marshal(params)
	if err != nil {
		b.t.Fatal(err)
	}
	if params == nil {
		text = []byte("{}")
	}
	answer := make(chan message, 1)
	b.mu.Lock()
	b.last++
	b.answers[b.last] = answer
	m, err := json.Marshal(message{ID: b.last, SessionID: session, Method: method, Params: text})
	if err == nil {
		_, err = b.in.Write(append(m, 0))
	}
	b.mu.Unlock()
	if err != nil {
		b.t.Errorf("%s: %v", method, err)
		return
	}
	select {
	case m := <-answer:
		if m.Error != nil {
			b.t.Errorf("%s: %s", method, m.Error)
		} else if into != nil {
			if err := json.Unmarshal(m.Result, into); err != nil {
				b.t.Errorf("%s: %v", method, err)
			}
		}
	case <-b.ended:
		if method != "Browser.close" {
			b.t.Errorf("%s: the browser ended", method)
		}
	case <-time.After(patience):
		b.t.Errorf("%s: no answer", method)
	}
}

// Page is a page in a browser.
type Page struct {
	browser *Browser
	session string

	mu        sync.Mutex
	loads     int
	console   []string
	requested []string
	changed   chan struct{}
}

// Open opens a page.
func (b *Browser) Open(url string) *Page {
	b.t.Helper()
	var target struct {
		TargetID string `json:"targetId"`
	}
	b.call("", "Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var session struct {
		SessionID string `json:"sessionId"`
	}
	b.call("", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &session)
	p := &Page{browser: b, session: session.SessionID, changed: make(chan struct{})}
	b.mu.Lock()
	b.pages[p.session] = p
	b.mu.Unlock()
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		b.call(p.session, domain+".enable", nil, nil)
	}
	b.call(p.session, "Page.navigate", map[string]any{"url": url}, nil)
	return p
}

// see records an event of the page.
func (p *Page) see(m message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch m.Method {
	case "Page.loadEventFired":
		p.loads++
		close(p.changed)
		p.changed = make(chan struct{})
	case "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded":
		p.console = append(p.console, string(m.Params))
	case "Network.requestWillBeSent":
		var sent struct {
			Request struct {
				URL string `json:"url"`
			} `json:"request"`
		}
		if json.Unmarshal(m.Params, &sent) == nil {
			p.requested = append(p.requested, sent.Request.URL)
		}
	}
}

// Loaded waits until the page has loaded n times.
func (p *Page) Loaded(n int) {
	p.browser.t.Helper()
	limit := time.After(patience)
	for {
		p.mu.Lock()
		loads, changed := p.loads, p.changed
		p.mu.Unlock()
		if loads >= n {
			return
		}
		select {
		case <-changed:
		case <-p.browser.ended:
			p.browser.t.Fatalf("the browser ended before the page had loaded %d times", n)
		case <-limit:
			p.browser.t.Fatalf("the page has loaded %d times, want %d", loads, n)
		}
	}
}

// Eval evaluates an expression of JavaScript in the page, waits for its promise if it is
// one, and decodes the value.
func (p *Page) Eval(expression string, into any) {
	p.browser.t.Helper()
	var answer struct {
		Result struct {
			Value json.RawMessage `json:"value"`
		} `json:"result"`
		Exception json.RawMessage `json:"exceptionDetails"`
	}
	p.browser.call(p.session, "Runtime.evaluate", map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true}, &answer)
	switch {
	case answer.Exception != nil:
		p.browser.t.Errorf("%s: %s", expression, answer.Exception)
	case answer.Result.Value == nil:
		p.browser.t.Errorf("%s: no value", expression)
	default:
		if err := json.Unmarshal(answer.Result.Value, into); err != nil {
			p.browser.t.Error(fmt.Errorf("%s: %w", expression, err))
		}
	}
}

// Console returns the messages on the page's console.
func (p *Page) Console() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.console...)
}

// Requested returns the addresses that the page requested.
func (p *Page) Requested() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.requested...)
}
