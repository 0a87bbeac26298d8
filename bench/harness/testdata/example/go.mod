// A module of its own that measures a program with package floodgate/bench/harness:
//
//	go mod tidy
//	go test -bench .
module example.com/callreport

go 1.26.0

require floodgate v0.0.0

replace floodgate => ../../../..
