package target

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"
)

// errHTTP2 explains why an upstream that speaks only HTTP/2 cannot be measured.
var errHTTP2 = errors.New("it speaks HTTP/2 but not HTTP/1.1, which Floodgate requires: over HTTP/2, requests share connections, " +
	"so limits of connections and predictions of descriptors would not hold; use an address of the upstream, or a reverse proxy in front of it, that speaks HTTP/1.1")

// http2Timeout bounds the check of whether a server speaks HTTP/2.
const http2Timeout = 5 * time.Second

// explain returns errHTTP2 instead of err if a request of HTTP/1.1 failed with err
// because the upstream speaks only HTTP/2. Such servers close or reset the connection, or
// send a frame.
func (u *Upstream) explain(ctx context.Context, p Policy, err error) error {
	var failed *net.OpError
	if errors.As(err, &failed) && failed.Op == "dial" || errors.As(err, new(*RefusedError)) || errors.As(err, new(*tls.CertificateVerificationError)) {
		return err
	}
	var config *tls.Config
	if u.url.Scheme == "https" {
		config = &tls.Config{ServerName: u.url.Hostname()}
	}
	if speaksHTTP2(ctx, p, u.Host(), config) {
		return errHTTP2
	}
	return err
}

// speaksHTTP2 reports whether the server accepts HTTP/2: by ALPN if config is not nil, or
// else by answering the connection preface. It sends no request.
func speaksHTTP2(ctx context.Context, p Policy, host string, config *tls.Config) bool {
	ctx, cancel := context.WithTimeout(ctx, http2Timeout)
	defer cancel()
	conn, err := p.DialContext(ctx, "tcp", host)
	if err != nil {
		return false
	}
	defer conn.Close()
	if config != nil {
		config.NextProtos = []string{"h2"}
		secure := tls.Client(conn, config)
		return secure.HandshakeContext(ctx) == nil && secure.ConnectionState().NegotiatedProtocol == "h2"
	}
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	const preface, settings = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	if _, err := io.WriteString(conn, preface+settings); err != nil {
		return false
	}
	// The header of the first frame, which must be SETTINGS: 3 bytes of length, then
	// type, flags and stream.
	header := make([]byte, len(settings))
	_, err = io.ReadFull(conn, header)
	return err == nil && header[3] == settings[3] && header[4] == 0 && string(header[5:]) == settings[5:]
}
