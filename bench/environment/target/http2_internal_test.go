package target

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"testing"
)

// Over TLS, the handshake selects the protocol.
func TestHTTP2OverTLS(t *testing.T) {
	for _, http2 := range []bool{true, false} {
		s := httptest.NewUnstartedServer(http.NotFoundHandler())
		s.EnableHTTP2 = http2
		s.StartTLS()
		t.Cleanup(s.Close)
		roots := x509.NewCertPool()
		roots.AddCert(s.Certificate())
		if got := speaksHTTP2(t.Context(), Policy{}, s.Listener.Addr().String(), &tls.Config{RootCAs: roots}); got {
			t.Errorf("HTTP/2 with a certificate that is not of its name")
		}
		if got := speaksHTTP2(t.Context(), Policy{}, s.Listener.Addr().String(), &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}); got != http2 {
			t.Errorf("HTTP/2 %v, want %v", got, http2)
		}
	}
}
