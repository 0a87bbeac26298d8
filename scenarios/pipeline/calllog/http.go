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

	"floodgate/mockupstream"
	"floodgate/mockupstream/secrets"
	"floodgate/scenarios/pipeline/dialcount"
)

// MaxBody is the greatest length of an answer in bytes.
const MaxBody = 64 << 20

// HTTPOptions configures an HTTPFetcher.
type HTTPOptions struct {
	// BaseURL is the URL of the upstream, such as http://127.0.0.1:8080; items are at
	// BaseURL/items/…. Its user and password are sent with every request (basic
	// authentication) and appear in no error.
	BaseURL string
	// MaxConnsPerHost bounds the connections, and MaxIdleConnsPerHost those kept for
	// further requests; zero means unlimited. If connections are bounded and kept, only
	// a few are dialed at a time as long as dials are fast.
	MaxConnsPerHost, MaxIdleConnsPerHost int
	// FreshConnections opens a connection for each request and closes it afterwards.
	FreshConnections bool
	// Timeout of one request with its answer; zero means none.
	Timeout time.Duration
	// Dialer counts connections; nil means that they are not counted.
	Dialer *dialcount.Counter
	// Request is the request for an item, whose {0} is an item's first argument; nil
	// means GET BaseURL/items/<arg>[/<arg>…]. Values of the environment have been
	// filled in.
	Request *mockupstream.ItemRequest
	// Records is the path of the records in an answer, as in [DecodeRecords]; empty
	// means an answer of [Decode].
	Records string
	// Secrets are texts that must appear in no error, besides the credentials of BaseURL.
	Secrets []string
	// PerRecord makes a document for each record instead of one for all.
	PerRecord bool
	// Limit is called first and throttles the request until it returns. This time
	// counts as time of the fetch, but not toward Timeout. An error of Limit is the
	// error of the fetch; nil means no throttling.
	Limit func(ctx context.Context) error
	// BeforeRequest is called before a request, and BeforeBody when the header of its
	// answer has arrived and the connection is still in use; either may be nil.
	BeforeRequest, BeforeBody func()
	// Traceparent returns the content of the header of that name for a fetch; empty means
	// that it has none, and nil that no fetch has one.
	Traceparent func(ctx context.Context) string
}

// HTTPFetcher fetches items with net/http over HTTP/1.1, where each request in
// flight has its own connection. Over HTTP/2, requests share connections, and
// neither bounds on connections nor predictions of descriptors would hold. It does
// not follow redirects, use a proxy from the environment, request compression or
// retry. Only net/http repeats a request if a kept connection is closed before the
// answer (golang/go#22158).
type HTTPFetcher struct {
	options   HTTPOptions
	base      *url.URL // the URL of all items
	route     *mockupstream.Route
	upstream  string        // the URL before the path of a route
	empty     *http.Request // the template of requests
	transport *http.Transport
	buffers   sync.Pool // of *bytes.Buffer
	dials     dials
}

// requestBuffer is the size of the write buffer, which holds a request. The default
// of 4 KiB would cause most of a connection's cost for the garbage collector.
const requestBuffer = 512

// keptBuffer is the greatest size of a buffer that is reused.
const keptBuffer = 1 << 20

// NewHTTPFetcher returns a fetcher with its own connections. Call Close to free them.
func NewHTTPFetcher(options HTTPOptions) (*HTTPFetcher, error) {
	base, header, err := itemsURL(options.BaseURL)
	if err != nil {
		return nil, err
	}
	options.Secrets = secrets.LongestFirst(append(credentials(options.BaseURL), options.Secrets...))
	if options.MaxConnsPerHost < 0 || options.MaxIdleConnsPerHost < 0 || options.Timeout < 0 {
		return nil, errors.New("upstream: connections and timeout must not be negative")
	}
	idle := options.MaxIdleConnsPerHost
	if idle == 0 {
		idle = math.MaxInt // the transport would treat 0 as 2, which would churn connections
	}
	dialer := options.Dialer
	if dialer == nil {
		dialer = new(dialcount.Counter)
	}
	dial := dialFunc(dialer.DialContext)
	if options.MaxConnsPerHost > 0 && !options.FreshConnections {
		dial = newPace(dial).DialContext
		dial = (&bound{dial: dial, slots: make(chan struct{}, options.MaxConnsPerHost)}).DialContext
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
	if r := options.Request; r != nil {
		f.route, f.upstream = r.Route(), strings.TrimSuffix(base.String(), "/items")
		f.empty.Method = f.route.Method
		for name, v := range r.Headers {
			header.Set(name, fmt.Sprint(v))
		}
	}
	f.dials.dial = dial
	f.dials.open, f.dials.end = context.WithCancel(context.Background())
	f.transport.DialContext = f.dials.DialContext
	return f, nil
}

// itemsURL returns the URL of the items of an upstream, and the header for its
// credentials. Errors do not quote the URL, which may contain a password.
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

// Fetch fetches the documents of an item. Errors are a *StatusError, an
// *AnswerError, or an error of the transport.
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
	var err error
	if request.URL, err = f.url(item); err != nil {
		return nil, fmt.Errorf("get %s: %w", item, err)
	}
	if f.options.Traceparent != nil {
		if parent := f.options.Traceparent(ctx); parent != "" {
			request.Header = request.Header.Clone() // that of the template belongs to all
			request.Header.Set("Traceparent", parent)
		}
	}
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
		// Read the rest so that the connection can be reused.
		_, _ = io.Copy(buffer, io.LimitReader(response.Body, 64<<10))
		return nil, newStatusError(response, buffer.Bytes(), f.base, f.scrub)
	}
	if n := response.ContentLength; n > MaxBody {
		return nil, &AnswerError{"too_large", fmt.Errorf("the answer has %d bytes; the maximum is %d", n, MaxBody)}
	} else if n > 0 {
		buffer.Grow(int(n) + bytes.MinRead) // the room that ReadFrom needs to detect the end
	}
	n, err := buffer.ReadFrom(io.LimitReader(response.Body, MaxBody+1))
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, &AnswerError{"truncated", fmt.Errorf("answer ends after %d bytes: %w", n, err)}
	case err != nil:
		return nil, fmt.Errorf("read answer after %d bytes: %w", n, err)
	case n > MaxBody:
		return nil, &AnswerError{"too_large", fmt.Errorf("the answer exceeds the maximum of %d bytes", MaxBody)}
	}
	if f.options.Records == "" {
		return Decode(item, buffer.Bytes(), f.options.PerRecord)
	}
	docs, err := DecodeRecords(item, buffer.Bytes(), f.options.Records, f.options.PerRecord)
	var invalid *AnswerError
	if errors.As(err, &invalid) { // it may quote the answer
		if text := invalid.Error(); f.scrub(text) != text {
			err = &AnswerError{invalid.Kind, errors.New(f.scrub(text))}
		}
	}
	return docs, err
}

// credentials returns the forms of the password in a URL, alone and with its user, or of a
// user without a password, which is a token.
func credentials(base string) []string {
	u, err := url.Parse(base)
	if err != nil || u.User == nil {
		return nil
	}
	user := u.User.Username()
	password, _ := u.User.Password()
	forms := secrets.Encodings(user + ":" + password)
	if password == "" {
		password = user
	}
	if len(password) >= secrets.MinEncoded {
		forms = append(forms, secrets.Encodings(password)...)
	}
	return forms
}

// scrub removes secrets from a text, whole ones before it is cut.
func (f *HTTPFetcher) scrub(text string) string {
	for _, secret := range f.options.Secrets {
		text = strings.ReplaceAll(text, secret, "***")
	}
	return text
}

// url returns the URL of the item. It escapes arguments that consist only of dots,
// which would be taken for path segments.
func (f *HTTPFetcher) url(item Item) (*url.URL, error) {
	args := item.Args()
	if f.route != nil {
		at, err := url.Parse(f.upstream + f.route.Target(args))
		if err != nil {
			return nil, errors.New("the path of the request is not one of a URL") // err may quote a secret
		}
		return at, nil
	}
	plain := strings.Join(args, "/")
	for i, arg := range args {
		args[i] = url.PathEscape(arg)
		if strings.Trim(arg, ".") == "" {
			args[i] = strings.ReplaceAll(arg, ".", "%2E")
		}
	}
	at := *f.base
	at.RawPath = f.base.EscapedPath() + "/" + strings.Join(args, "/")
	at.Path = f.base.Path + "/" + plain
	return &at, nil
}

// StatusError is an answer with a status other than 200.
type StatusError struct {
	Code int
	// RetryAfter is the Retry-After header, often empty.
	RetryAfter string
	// Location is the target of a redirect without credentials and query; empty means
	// that there is none.
	Location string
	// Base is the URL of the upstream under which Location is the same item; empty
	// means that there is none.
	Base string
	// Text is the beginning of the answer.
	Text string
}

func newStatusError(response *http.Response, body []byte, items *url.URL, scrub func(string) string) *StatusError {
	text := scrub(string(body))
	e := &StatusError{
		Code:       response.StatusCode,
		RetryAfter: response.Header.Get("Retry-After"),
		Text:       strings.ToValidUTF8(text[:min(len(text), 200)], ""),
	}
	if to, err := response.Location(); err == nil && e.Code/100 == 3 {
		to.User, to.Fragment = nil, ""
		e.Base = baseOf(to, strings.TrimPrefix(response.Request.URL.EscapedPath(), items.EscapedPath()))
		if to.RawQuery != "" {
			to.RawQuery = "…" // it may hold a token
		}
		e.Location, e.Base = scrub(to.String()), scrub(e.Base)
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

// Error returns the status and the text; for a redirect, the target and what to do.
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

// ErrorType returns http_429, or the class: http_4xx, http_5xx.
func (e *StatusError) ErrorType() string {
	if e.Code == http.StatusTooManyRequests {
		return "http_429"
	}
	return fmt.Sprintf("http_%dxx", e.Code/100)
}

// dials opens connections until it is closed. The transport dials in the background and
// continues even if another connection has served the request in the meantime. Such
// connections of a closed fetcher would add to those of its successor.
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

// bound keeps the connections, including those that are closing, within the number of its
// slots. The transport's own bound does not count a connection any more once it decides
// to close it, which it also does to a kept one whose request was written too slowly, on
// a busy machine: for a moment there would be one connection more than the limit.
type bound struct {
	dial  dialFunc
	slots chan struct{}
}

func (b *bound) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	select {
	case b.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	free := sync.OnceFunc(func() { <-b.slots })
	conn, err := b.dial(ctx, network, address)
	if err != nil {
		free()
		return nil, err
	}
	return boundConn{conn, free}, nil
}

type boundConn struct {
	net.Conn
	free func()
}

func (c boundConn) Close() error {
	defer c.free()
	return c.Conn.Close()
}

// A fetcher with bounded connections has at most dialsAtOnce concurrent dials,
// until one dial takes longer than dialPatience.
const (
	dialsAtOnce  = 8
	dialPatience = 10 * time.Millisecond
)

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// pace spreads a burst of dials. Go polls the network only when no goroutine can
// run: of 300 concurrent dials, none sends its request before all have started.
// For a near host this is the longest part of a request, and with only a few dials
// at a time, the first requests are sent in between (see BenchmarkEfficiency). On a
// slow network there is nothing to gain, so the first slow dial lifts the limit
// permanently.
type pace struct {
	dial   dialFunc
	turns  chan struct{}
	lifted chan struct{} // closed when the limit is lifted
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
