# Every target is one line of help: `make` prints them.
GOLANGCI_VERSION := v2.15.0
GOVULNCHECK_VERSION := v1.9.0
GO ?= go

.DEFAULT_GOAL := help
.PHONY: help run quick test test-containers test-kubernetes race soak no-leak plan-rate test-budget fuzz gate-baseline gate-against gate-bench selftest bench ratios oracle lint verify vulnerabilities fmt golden build build-kubernetes build-push release module-path test-module-path crosscheck clean

help: ## print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## run the scenario `report` and judge its claims (about 95 seconds)
	$(GO) run ./bench run

quick: ## the same in about 20 seconds
	$(GO) run ./bench run --quick

test: ## all tests
	$(GO) test ./...

MONGO_IMAGE ?= embedded
test-containers: ## the tests that need Docker, which fail without it; MONGO_IMAGE=mongo:8 for the real MongoDB
	FLOODGATE_REQUIRE_DOCKER=1 FLOODGATE_MONGO_IMAGE=$(MONGO_IMAGE) $(GO) test $(TESTFLAGS) -count 1 -timeout 20m ./bench/container

test-kubernetes: ## the tests that need a cluster, on one that .ci/cluster starts (as root; nine minutes longer the first time)
	.ci/cluster exec $(GO) test -C bench/kubernetes $(TESTFLAGS) -count 1 -parallel 4 -timeout 30m ./...

race: ## the tests under the race detector, without long calculations (see .ci/race)
	.ci/race $(TESTFLAGS) ./...

N ?= 20
soak: ## all tests N times (20) in random order with one core kept busy, a line a run; RACE=1: under the race detector
	@.ci/soak $(N)

no-leak: ## N trials (20) without a leak under each of eleven shapes of load, a line a trial: none may be called a leak (45 minutes)
	@.ci/no-leak $(N)

plan-rate: ## compare N plans (3) of the rate of two services with bisections by the vegeta command (40 minutes on a quiet machine)
	@.ci/plan-rate $(if $(filter file,$(origin N)),3,$(N))

test-budget: ## measure each package's tests and write .ci/test-budget.txt, which .ci/run checks
	@times=$$(mktemp) && trap 'rm -f "$$times"' EXIT && \
	  TEST_TIMES=$$times $(GO) test -count=1 -exec "$(CURDIR)/.ci/timed-test" ./... && .ci/test-budget --update "$$times"

FUZZTIME ?= 10s
fuzz: ## every fuzz target for FUZZTIME (10s); RAPID_SEED=0 go test ./... draws new values for property tests
	@for package in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz'); do \
	    echo "$$package $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$package || exit 1; \
	  done; \
	done

# The gates' flags, such as --github; the revision to compare with.
GATEFLAGS ?=
REF ?= HEAD
# fail, or warn: what is inconclusive is shown and ends with 0. Where nothing was
# compared or measured (4), the gate fails in either case.
ON_INCONCLUSIVE ?= fail
OPEN = code=$$?; [ "$$code" = 3 ] && [ "$(ON_INCONCLUSIVE)" = warn ] || exit "$$code"
WITH_BINARY = binary=$$(mktemp) && trap 'rm -f "$$binary"' EXIT && CGO_ENABLED=0 $(GO) build -o "$$binary" ./bench && \
	{ test -x "$$binary" || { echo "programs in $${TMPDIR:-/tmp} cannot be executed (is it mounted noexec?): set TMPDIR to another folder" >&2; exit 4; }; }

gate-baseline: ## run .ci/gate.yaml and gate it against results/baseline/ci.yaml (about 25 seconds); GATEFLAGS=--github
	@$(WITH_BINARY) && .ci/gate "$$binary" $(GATEFLAGS)

gate-against: ## run .ci/gate.yaml with the revision REF (HEAD) and the working tree in turn (about 90 seconds)
	@$(WITH_BINARY) && "$$binary" gate diff "$(REF)" .ci/gate.yaml --env embedded $(GATEFLAGS) || { $(OPEN); }

gate-bench: ## run Go benchmarks of REF and of the working tree in turn, and gate them (about 60 seconds)
	@$(WITH_BINARY) && "$$binary" gate bench --against "$(REF)" --package ./scenarios/pipeline,./results/stats --margin 10% $(GATEFLAGS) || { $(OPEN); }

selftest: ## what gates find and miss on this machine, now (10 minutes)
	@$(WITH_BINARY) && "$$binary" gate selftest $(GATEFLAGS)

bench: ## the Go benchmarks of everything, as benchstat reads them
	$(GO) test -run '^$$' -bench . ./...

ratios: ## measure the ratios in bench/README.md again (about 3 minutes, on a quiet machine)
	{ $(GO) test -run '^$$' -benchtime 1s -count 6 -bench 'Throughput/records=10$$' ./mockupstream && \
	  $(GO) test -run '^$$' -benchtime 1s -count 6 -bench 'DelayError/in-flight=10$$/' ./mockupstream && \
	  $(GO) test -run '^$$' -benchtime 1s -count 6 -bench 'Overhead/strategy=bounded.10.$$' ./scenarios/pipeline && \
	  $(GO) test -run '^$$' -benchtime 1s -count 6 -bench 'Upsert/documents=10000' ./bench/environment/embedmongo && \
	  $(GO) test -run '^$$' -benchtime 1s -count 6 -benchmem -bench 'Record$$' ./bench/load; } > results/example/benchmarks/ratios.txt

oracle: ## run the case of 2017 and compare it with what was measured on its own stack (about 13 minutes)
	$(GO) test ./bench/cli -run '^TestOracle2017$$' -oracle -v -timeout 60m

crosscheck: ## recompute every figure of the stored examples in R (r-base-core, r-cran-jsonlite) and compare
	FLOODGATE_REQUIRE_R=1 $(GO) test -count 1 -v ./results/crosscheck

lint: ## gofmt, go vet and golangci-lint at its pinned version
	@test -z "$$(gofmt -l .)" || { gofmt -d .; exit 1; }
	$(GO) vet ./...
	CGO_ENABLED=0 $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION) run ./...
	for module in bench/kubernetes bench/push; do \
	  (cd $$module && $(GO) vet ./... && CGO_ENABLED=0 $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION) run ./...) || exit 1; \
	done

verify: ## compare the downloaded modules with go.sum
	$(GO) mod verify
	@# Go takes a replaced module whose path has no host for one that is damaged.
	@module=$$($(GO) list -m) && work=$$(mktemp -d) && trap 'rm -rf "$$work"' EXIT && for nested in bench/kubernetes bench/push; do \
	  cp $$nested/go.mod $$nested/go.sum "$$work" && $(GO) mod edit -droprequire "$$module" -dropreplace "$$module" "$$work/go.mod" && \
	  (cd $$nested && $(GO) mod verify -modfile "$$work/go.mod") || exit 1; \
	done

vulnerabilities: ## known vulnerabilities in what the code calls (asks vuln.go.dev)
	CGO_ENABLED=0 $(GO) run golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION) ./...
	for module in bench/kubernetes bench/push; do \
	  (cd $$module && CGO_ENABLED=0 $(GO) run golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION) ./...) || exit 1; \
	done

fmt: ## format the code
	gofmt -w .

golden: ## write golden files and schemas anew from what the code prints now
	$(GO) test ./scenarios ./results ./results/report ./results/report/ci ./bench/cli -update

build: ## the command as one static binary: ./floodgate
	CGO_ENABLED=0 $(GO) build -o floodgate ./bench

build-kubernetes: ## the command with --env kubernetes: ./floodgate-kubernetes, which ./floodgate finds
	CGO_ENABLED=0 $(GO) build -C bench/kubernetes -o ../../floodgate-kubernetes .

build-push: ## the command push: ./floodgate-push, which ./floodgate finds
	CGO_ENABLED=0 $(GO) build -C bench/push -o ../../floodgate-push .

release: ## what a release consists of, for five platforms, in dist/ (ten minutes the first time)
	$(GO) run ./bench/release dist

module-path: ## give the module the path NEW, such as NEW=example.org/floodgate, in all files
	@.ci/module-path "$(NEW)"

test-module-path: ## rename a copy of the module, and build and vet all of it (ten minutes the first time)
	FLOODGATE_RENAMED_BUILD=1 $(GO) test -count 1 -timeout 60m ./bench/release/modulepath

clean: ## remove what was built and the stored runs
	rm -rf floodgate floodgate-kubernetes floodgate-push dist .release-* results/runs
