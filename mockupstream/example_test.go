package mockupstream_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"floodgate/mockupstream"
)

// The mock serves another program, or a test of one.
func ExampleServe() {
	profile, err := mockupstream.ParseProfile("example.yaml", []byte(`
latency: {distribution: lognormal, median: 2ms, sigma: 0.5}
faults: [{kind: status, status: 503, probability: 0.5}]
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	upstream, err := mockupstream.New(profile, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer upstream.Close()
	server, err := mockupstream.Serve(context.Background(), mockupstream.ServerOptions{}, upstream)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()

	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, number := range []string{"+15550001", "+15550002", "+15550003", "+15550004"} {
		resp, err := client.Get(server.URL() + "/items/" + number)
		if err != nil {
			fmt.Println(err)
			return
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		fmt.Println(number, resp.StatusCode)
	}
	stats := upstream.Stats()
	fmt.Println(stats.Requests, "requests,", stats.Faults["status"], "faults, in flight:", stats.InFlight)
	// Output:
	// +15550001 200
	// +15550002 200
	// +15550003 200
	// +15550004 503
	// 4 requests, 1 faults, in flight: 0
}

// Draw predicts the outcome of requests, for example to compute the time that a perfect
// client would need.
func ExampleProfile_Draw() {
	profile := mockupstream.Profile{Latency: mockupstream.Distribution{
		Kind: "lognormal", Median: mockupstream.Duration(20 * time.Millisecond), Sigma: 0.5,
	}}
	total := time.Duration(0)
	for _, number := range []string{"+15550001", "+15550002", "+15550003"} {
		draw := profile.Draw(1, number, 1)
		fmt.Println(number, draw.Delay.Round(time.Microsecond))
		total += draw.Delay
	}
	fmt.Println("sequentially:", total.Round(time.Microsecond))
	// Output:
	// +15550001 16.736ms
	// +15550002 12.776ms
	// +15550003 20.526ms
	// sequentially: 50.038ms
}
