package html_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	stdhtml "html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"floodgate/results/report"
	"floodgate/results/report/html"
	"floodgate/results/report/html/browsertest"
	"floodgate/results/report/internal/reporttest"
	"floodgate/results/text"
)

// look is the state of a page in a browser at a width.
type look struct {
	Page  string     `json:"page"`
	Width int        `json:"width"`
	Over  int        `json:"over"`  // excess width in pixels
	Wider []string   `json:"wider"` // elements that are too wide
	Texts int        `json:"texts"` // number of texts in visible charts
	Out   []string   `json:"out"`   // texts that extend beyond their chart
	Cross []string   `json:"cross"` // pairs of texts that overlap
	Rows  [][]string `json:"rows"`  // cells of the tables
	Small float64    `json:"small"` // height of the smallest text of a chart, in screen pixels
}

// inspector opens pages in frames of two widths and writes the state of each.
const inspector = `<!doctype html><meta charset="utf-8"><body><script>
const pages = %s, looks = [];
async function look(page, width) {
  const f = document.createElement('iframe');
  f.style.cssText = 'width:' + width + 'px;height:900px;border:0';
  f.src = page;
  const loaded = new Promise(done => f.onload = done);
  document.body.append(f);
  await loaded;
  const d = f.contentDocument, root = d.documentElement;
  const l = {page, width, over: root.scrollWidth - width, wider: [], out: [], cross: [], texts: 0, rows: [], small: 99};
  for (const e of d.querySelectorAll('body *'))
    if (!e.closest('.scroll, pre, svg, thead') && e.getBoundingClientRect().right > width + 1) l.wider.push(e.tagName + ' ' + e.textContent.slice(0, 60));
  for (const s of d.querySelectorAll('svg')) {
    if (!s.getClientRects().length) continue;
    const frame = s.getBoundingClientRect(), boxes = [];
    for (const e of s.querySelectorAll('text')) {
      const b = e.getBoundingClientRect(), name = s.querySelector('title').textContent + ': ' + e.textContent;
      l.texts++; l.small = Math.min(l.small, b.height);
      if (b.left < frame.left - 1 || b.right > frame.right + 1 || b.top < frame.top - 1 || b.bottom > frame.bottom + 1) l.out.push(name);
      for (const [o, other] of boxes)
        if (b.left < o.right - 1 && o.left < b.right - 1 && b.top < o.bottom - 4 && o.top < b.bottom - 4) l.cross.push(name + ' / ' + other);
      boxes.push([b, e.textContent]);
    }
  }
  for (const r of d.querySelectorAll('tr[data-variant]')) l.rows.push([...r.cells].map(c => c.textContent));
  looks.push(l);
  f.remove();
}
(async () => {
  for (const p of pages) for (const w of [1280, 390]) await look(p, w);
  const out = document.createElement('pre');
  out.id = 'looks'; out.textContent = JSON.stringify(looks);
  document.body.append(out);
})();
</script>`

var looked = regexp.MustCompile(`(?s)<pre id="looks">(.*?)</pre>`)

var address = regexp.MustCompile(`"url":"((?:https?|wss?|ftp):[^"]*)"`)

// inspect loads the pages in a browser, and returns their states, the console output and
// the requested addresses.
func inspect(t *testing.T, pages map[string]string) (looks []look, console string, requested []string) {
	t.Helper()
	path, dir := browsertest.Path(t), t.TempDir()
	var names []string
	for name, text := range pages {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	list, err := json.Marshal(names)
	if err != nil {
		t.Fatal(err)
	}
	at, netLog := filepath.Join(dir, "inspector.html"), filepath.Join(dir, "net.json")
	if err := os.WriteFile(at, fmt.Appendf(nil, inspector, list), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append(browsertest.Args(filepath.Join(dir, "profile")), "--host-resolver-rules=MAP * ~NOTFOUND", "--allow-file-access-from-files",
		"--enable-logging=stderr", "--log-net-log="+netLog, "--virtual-time-budget=60000", "--dump-dom", "file://"+at)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var dom, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdout, cmd.Stderr = &dom, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", path, err, stderr.String())
	}
	m := looked.FindStringSubmatch(dom.String())
	if m == nil {
		t.Fatalf("the browser saw no page:\n%.2000s\n%s", dom.String(), stderr.String())
	}
	if err := json.Unmarshal([]byte(stdhtml.UnescapeString(m[1])), &looks); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(stderr.String()) {
		if strings.Contains(line, "CONSOLE") {
			console += line
		}
	}
	text, err := os.ReadFile(netLog)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		own := strings.Contains(line, `"initiator":"not an origin"`) // a request of Chromium itself, not of a page
		if u := address.FindStringSubmatch(line); u != nil && strings.Contains(line, `"initiator":`) && !own {
			requested = append(requested, u[1])
		}
	}
	return looks, console, requested
}

// A browser shows the pages without messages on its console and without network requests,
// at the widths of a desktop and a phone, with nothing cut off, and with the numbers of
// the terminal.
func TestBrowser(t *testing.T) {
	pages, terminals := map[string]string{}, map[string][]string{}
	for name, run := range reporttest.Runs() {
		v := reporttest.Judge(t, run)
		pages[name+".html"] = page(t, run, html.Options{Record: []byte("record")})
		var out bytes.Buffer
		if err := report.Terminal(&out, run, v, text.Options{Width: 1000}); err != nil {
			t.Fatal(err)
		}
		terminals[name+".html"] = unaligned(out.String())
	}
	for name, other := range otherPages(t) {
		pages[name+".html"], terminals[name+".html"] = other.page, other.terminal
	}
	looks, console, requested := inspect(t, pages)
	if console != "" {
		t.Errorf("the console says:\n%s", console)
	}
	if len(requested) > 0 {
		t.Errorf("the page requested %q", requested)
	}
	if len(looks) != 2*len(pages) {
		t.Errorf("%d looks at %d pages", len(looks), len(pages))
	}
	for _, l := range looks {
		t.Run(fmt.Sprintf("%s at %d", l.Page, l.Width), func(t *testing.T) {
			if l.Over > 0 || len(l.Wider) > 0 {
				t.Errorf("%d pixels too wide: %q", l.Over, l.Wider)
			}
			if len(l.Out) > 0 || len(l.Cross) > 0 {
				t.Errorf("texts that leave their chart: %q; that overlap: %q", l.Out, l.Cross)
			}
			if l.Page != "limits-none.html" && (l.Texts < 15 || l.Small < 9) {
				t.Errorf("%d texts in charts, of %g pixels at least", l.Texts, l.Small)
			}
			for _, row := range l.Rows {
				if want := strings.Join(strings.Fields(strings.Join(row, " ")), " "); !contains(terminals[l.Page], want) {
					t.Errorf("the terminal has no row %q", want)
				}
			}
			if len(l.Rows) == 0 && l.Page != "limits-none.html" && l.Page != "trend.html" {
				t.Error("no rows")
			}
		})
	}
}

// The inspection detects such faults.
func TestBrowserFinds(t *testing.T) {
	bad := `<!doctype html><link rel="icon" href="data:,"><style>body{margin:0}</style><div style="width:2000px">wide</div>
<svg width="100" height="40"><title>t</title><text x="90" y="20">leaves its chart</text><text x="5" y="20">one</text><text x="8" y="20">two</text></svg>
<img src="http://floodgate.invalid/x.png"><script>console.error("said")</script>`
	looks, console, requested := inspect(t, map[string]string{"bad.html": bad})
	for _, l := range looks {
		if l.Over <= 0 || len(l.Wider) == 0 || len(l.Out) == 0 || len(l.Cross) == 0 {
			t.Errorf("%+v", l)
		}
	}
	if !strings.Contains(console, "said") || len(requested) == 0 {
		t.Errorf("console %q, network %q", console, requested)
	}
}
