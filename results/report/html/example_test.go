package html_test

import (
	"bytes"
	"fmt"

	"floodgate/results/claims"
	"floodgate/results/internal/runtest"
	"floodgate/results/report/html"
)

// The page of a run is one file without scripts.
func ExampleRun() {
	run := runtest.Clean()
	outcome, err := claims.Judge(run)
	if err != nil {
		fmt.Println(err)
		return
	}
	var page bytes.Buffer
	if err := html.Run(&page, run, outcome, html.Options{}); err != nil {
		fmt.Println(err)
		return
	}
	title, _, _ := bytes.Cut(page.Bytes(), []byte("</title>"))
	fmt.Printf("%s\n", title[bytes.LastIndex(title, []byte(">"))+1:])
	fmt.Println("charts:", bytes.Count(page.Bytes(), []byte("<svg")), "scripts:", bytes.Count(page.Bytes(), []byte("<script")))
	// Output:
	// report: A report over phone numbers – passed: 4 of 4 claims as expected
	// charts: 12 scripts: 0
}
