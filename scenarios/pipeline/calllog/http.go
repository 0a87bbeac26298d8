package calllog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"floodgate/scenarios/pipeline/dialcount"
)

// MaxBody is how long an answer may be, in bytes.
const MaxBody = 64 << 20

// HTTPOptions say how items are fetched.
type HTTPOptions struct {
	// BaseURL is where the upstream is, such as http://127.0.0.1:8080; items
	// are at BaseURL/items/…. User and password in it are sent with every
	// request (basic authentication) and are in no error.
	BaseURL string
	// MaxConnsPerHost bounds connections, and MaxIdleConnsPerHost those kept
	// for the next request. 0: unlimited. Bounded connections that are kept
	// are dialled a few at a time as long as dials are fast.
	MaxConnsPerHost, MaxIdleConnsPerHost int
	// FreshConnections makes a connection for each request and closes it after.
	FreshConnections bool
	// Timeout of one request with its answer. 0: none.
	Timeout time.Duration
	// Dialer counts connections. Nil: they are not counted.
	Dialer *dialcount.Counter
	// PerRecord makes a document of each record instead of one of all.
	PerRecord bool
	// Limit is called first and holds a request back as long as it does not
	// return; the request's time passes, its Timeout does not yet. An error of
	// it is the fetch's. Nil: nothing is held back.
	Limit func(ctx context.Context) error
	// BeforeRequest is called before a request is made, and BeforeBody when
	// its answer's header has arrived, the connection still in use. Nil: nothing.
	BeforeRequest, BeforeBody func()
}

// HTTPFetcher fetches items with net/http over HTTP/1.1, where a request in
// flight is a connection: over HTTP/2 requests share connections, and neither
// bounds on connections nor predictions of descriptors would hold. It follows no
// redirects, uses no proxy of the environment's, asks for no compression and
// never tries again; net/http alone sends a request again when a connection that
// was kept is closed before the answer (golang/go#22158).
type HTTPFetcher struct {
	options   HTTPOptions
	base      *url.URL      // of all items
	empty     *http.Request // to be copied
	transport *http.Transport
	buffers   sync.Pool // of *bytes.Buffer
	dials     dials
}

// requestBuffer holds a request; the default of 4 KiB would be most of what a
// connection costs the collector.
const requestBuffer = 512

// keptBuffer is how large a buffer may be to be used again.
const keptBuffer = 1 << 20

// NewHTTPFetcher makes a fetcher with connections of its own; Close it.
func NewHTTPFetcher(options HTTPOptions) (*HTTPFetcher, error) {
	base, header, err := itemsURL(options.BaseURL)
	if err != nil {
		return nil, err
	}
	if options.MaxConnsPerHost < 0 || options.MaxIdleConnsPerHost < 0 || options.Timeout < 0 {
		return nil, errors.New("upstream: connections and timeout must not be negative")
	}
	idle := options.MaxIdleConnsPerHost
	if idle == 0 {
		idle = math.MaxInt // the transport takes 0 for 2, which would churn connections
	}
	dialer := options.Dialer
	if dialer == nil {
		dialer = new(dialcount.Counter)
	}
	dial := dialFunc(dialer.DialContext)
	if options.MaxConnsPerHost > 0 && !options.FreshConnections {
		dial = newPace(dial).DialContext
	}
	f := &HTTPFetcher{
		options: options,
		base:    base,
		empty:   &http.Request{Method: http.MethodGet, Host: base.Host, Header: header, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1},
		transport: &http.Transport{
			MaxConnsPerHost:     options.MaxConnsPerHost,
			MaxIdleConnsPerHost: idle,
			DisableKeepAlives:   options.FreshConnections,
			DisableCompression:  true,
			WriteBufferSize:     requestBuffer,
		},
		buffers: sync.Pool{New: func() any { return new(bytes.Buffer) }},
	}
	f.dials.dial = dial
	f.dials.open, f.dials.end = context.WithCancel(context.Background())
	f.transport.DialContext = f.dials.DialContext
	return f, nil
}

// itemsURL is where the items of an upstream are, and the header that its
// credentials make. Errors do not quote the URL, which may have a password in it.
func itemsURL(upstream string) (*url.URL, http.Header, error) {
	base, err := url.Parse(upstream)
	if err != nil {
		return nil, nil, errors.New("upstream: malformed URL")
	}
	request := http.Request{Header: make(http.Header)}
	if user := base.User; user != nil {
		password, _ := user.Password()
		request.SetBasicAuth(user.Username(), password)
		base.User = nil
	}
	if base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.RawQuery != "" || base.Fragment != "" {
		return nil, nil, fmt.Errorf("upstream %q: want http://host:port or https://host:port", base.Scheme+"://"+base.Host)
	}
	items, err := url.Parse(strings.TrimSuffix(base.String(), "/") + "/items")
	return items, request.Header, err
}

// Close ends the dials in progress and closes idle connections; none is made
// afterwards. Call it after the last Fetch has returned.
func (f *HTTPFetcher) Close() {
	f.dials.close()
	f.transport.CloseIdleConnections()
}

// Fetch gets the documents of an item. Errors are a *StatusError, an
// *AnswerError, or the transport's.
func (f *HTTPFetcher) Fetch(ctx context.Context, item Item) ([]Document, error) {
	if f.options.Limit != nil {
		if err := f.options.Limit(ctx); err != nil {
			return nil, fmt.Errorf("get %s: %w", item, err)
		}
	}
	if f.options.BeforeRequest != nil {
		f.options.BeforeRequest()
	}
	if f.options.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.options.Timeout)
		defer cancel()
	}
	request := f.empty.WithContext(ctx)
	request.URL = f.url(item)
	response, err := f.transport.RoundTrip(request)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", item, err)
	}
	defer response.Body.Close()
	if f.options.BeforeBody != nil {
		f.options.BeforeBody()
	}
	docs, err := f.read(response, item)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", item, err)
	}
	return docs, nil
}

func (f *HTTPFetcher) read(response *http.Response, item Item) ([]Document, error) {
	buffer := f.buffers.Get().(*bytes.Buffer)
	buffer.Reset()
	defer func() {
		if buffer.Cap() <= keptBuffer {
			f.buffers.Put(buffer)
		}
	}()
	if response.StatusCode != http.StatusOK {
		// The rest is read so that the connection can be used again.
		_, _ = io.Copy(buffer, io.LimitReader(response.Body, 64<<10))
		return nil, newStatusError(response, buffer.Bytes(), f.base)
	}
	if n := response.ContentLength; n > MaxBody {
		return nil, &AnswerError{"too_large", fmt.Errorf("answer of %d bytes is above the %d allowed", n, MaxBody)}
	} else if n > 0 {
		buffer.Grow(int(n) + bytes.MinRead) // what ReadFrom wants free to see the end
	}
	n, err := buffer.ReadFrom(io.LimitReader(response.Body, MaxBody+1))
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, &AnswerError{"truncated", fmt.Errorf("answer ends after %d bytes: %w", n, err)}
	case err != nil:
		return nil, fmt.Errorf("read answer after %d bytes: %w", n, err)
	case n > MaxBody:
		return nil, &AnswerError{"too_large", fmt.Errorf("answer is above the %d bytes allowed", MaxBody)}
	}
	return Decode(item, buffer.Bytes(), f.options.PerRecord)
}

// url is where the item is. An argument of dots alone would be taken for a
// step in the path.
func (f *HTTPFetcher) url(item Item) *url.URL {
	args := item.Args()
	for i, arg := range args {
		args[i] = url.PathEscape(arg)
		if strings.Trim(arg, ".") == "" {
			args[i] = strings.ReplaceAll(arg, ".", "%2E")
		}
	}
	at := *f.base
	at.RawPath = f.base.EscapedPath() + "/" + strings.Join(args, "/")
	at.Path = f.base.Path + "/" + string(item)
	return &at
}

// StatusError is an answer with another status than 200.
type StatusError struct {
	Code int
	// RetryAfter is the Retry-After header as it came, often empty.
	RetryAfter string
	// Location is where a redirect leads, without credentials and with its query
	// left out; empty: it does not say.
	Location string
	// Base is the URL of the upstream under which Location is the same item;
	// empty: there is none.
	Base string
	// Text is the begin of the answer.
	Text string
}

func newStatusError(response *http.Response, body []byte, items *url.URL) *StatusError {
	e := &StatusError{
		Code:       response.StatusCode,
		RetryAfter: response.Header.Get("Retry-After"),
		Text:       strings.ToValidUTF8(string(body[:min(len(body), 200)]), ""),
	}
	if to, err := response.Location(); err == nil && e.Code/100 == 3 {
		to.User, to.Fragment = nil, ""
		e.Base = baseOf(to, strings.TrimPrefix(response.Request.URL.EscapedPath(), items.EscapedPath()))
		if to.RawQuery != "" {
			to.RawQuery = "…" // it may hold a token
		}
		e.Location = to.String()
	}
	return e
}

// baseOf returns the URL of the upstream under which to is the item at
// /items + path, or "" if there is none.
func baseOf(to *url.URL, path string) string {
	base, same := strings.CutSuffix(to.EscapedPath(), "/items"+path)
	if !same || to.RawQuery != "" {
		return ""
	}
	return to.Scheme + "://" + to.Host + base
}

// Error gives status and text, of a redirect where it leads and what to do.
func (e *StatusError) Error() string {
	if e.Location != "" {
		do := "have the upstream answer the requested URL itself"
		if e.Base != "" {
			do = "use " + e.Base + " as the URL of the upstream"
		}
		return fmt.Sprintf("status %d %s: the upstream redirects to %s, and redirects are not followed; %s", e.Code, http.StatusText(e.Code), e.Location, do)
	}
	return strings.TrimSuffix(fmt.Sprintf("status %d %s: %s", e.Code, http.StatusText(e.Code), strings.TrimSpace(e.Text)), ": ")
}

// ErrorType is http_429, or the class: http_4xx, http_5xx.
func (e *StatusError) ErrorType() string {
	if e.Code == http.StatusTooManyRequests {
		return "http_429"
	}
	return fmt.Sprintf("http_%dxx", e.Code/100)
}

// dials makes connections until it is closed. The transport dials in the
// background and goes on when another connection has served the request in the
// meantime: without an end, connections of a closed fetcher would come on top of
// those of its successor.
type dials struct {
	dial dialFunc
	open context.Context
	end  context.CancelFunc

	mu         sync.Mutex // so that no dial begins while close waits
	inProgress sync.WaitGroup
}

func (d *dials) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	d.mu.Lock()
	if d.open.Err() != nil {
		d.mu.Unlock()
		return nil, net.ErrClosed
	}
	d.inProgress.Add(1)
	d.mu.Unlock()
	defer d.inProgress.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(d.open, cancel)()
	return d.dial(ctx, network, address)
}

// close cancels the dials in progress and returns when they have ended.
func (d *dials) close() {
	d.mu.Lock()
	d.end()
	d.mu.Unlock()
	d.inProgress.Wait()
}

// A fetcher with bounded connections dials so many at once, until one dial
// takes longer than dialPatience.
const (
	dialsAtOnce  = 8
	dialPatience = 10 * time.Millisecond
)

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// pace spreads a burst of dials. Go looks at the network only when no
// goroutine can run: of 300 dials begun at once, none sends its request
// before all are begun. To a near host that is the longest part of it, and a
// few dials at a time let the first requests out between them (see
// BenchmarkEfficiency). Where the network takes its time there is nothing to
// gain: the first dial that is slow ends the limit for good.
type pace struct {
	dial   dialFunc
	turns  chan struct{}
	lifted chan struct{} // closed when there is no limit any more
	lift   func()
}

func newPace(dial dialFunc) *pace {
	p := &pace{dial: dial, turns: make(chan struct{}, dialsAtOnce), lifted: make(chan struct{})}
	p.lift = sync.OnceFunc(func() { close(p.lifted) })
	return p
}

func (p *pace) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	select {
	case <-p.lifted:
	case p.turns <- struct{}{}:
		defer func() { <-p.turns }()
		defer time.AfterFunc(dialPatience, p.lift).Stop()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return p.dial(ctx, network, address)
}
