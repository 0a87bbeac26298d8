package scenarios

import (
	"cmp"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"floodgate/mockupstream/strictyaml"
	"floodgate/scenarios/pipeline"
)

// rules holds the rule of every field of a scenario file.
var rules = map[string]rule{
	"Scenario.version":     {doc: "Version of the file format: 1.", span: between(1, 1)},
	"Scenario.name":        {doc: "Short identifier of the scenario.", name: true},
	"Scenario.title":       {doc: "Title of the scenario, in one line.", filled: true},
	"Scenario.description": {doc: "Description of what the scenario shows, in any number of lines.", filled: true},
	"Scenario.seed":        {doc: "Seed of every draw; the same seed gives the same items, delays and faults. Default 1."},
	"Scenario.items":       {doc: "The items that the pipeline processes."},
	"Scenario.upstream":    {doc: "Behavior of the mock upstream. Default: it answers at once, with one record per item and no faults."},
	"Scenario.database":    {doc: "Delays and faults added to the database."},
	"Scenario.sut":         {doc: "The system under test and its limits."},
	"Scenario.containers":  {doc: "Limits of the containers of upstream and database. Such a scenario runs only in the environment containers."},
	"Scenario.service":     {doc: "Load of a SUT that serves reports, or of an HTTP service that sut.command starts, instead of processing items once."},
	"Scenario.slo":         {doc: "Requirements for a rate to count as sustained, for floodgate plan rate."},
	"Scenario.external":    {doc: "Bounds of the requests to an external upstream."},
	"Scenario.variants":    {doc: "The ways to run the pipeline that are compared with each other."},
	"Scenario.levels":      {doc: "Points at which the variants are compared: each entry maps factors (paths in this file) to one value or a list and is the product of its lists; the entries add up."},
	"Scenario.blocks":      {doc: "Number of runs of every variant at every level. Default 6: a two-sided signed-rank test at 5 % cannot reject with fewer than 6.", span: between(MinBlocks, maxBlocks)},
	"Scenario.quick":       {doc: "Replacements for --quick."},
	"Scenario.claims":      {doc: "Statements to judge."},
	"Scenario.thresholds":  {doc: `Budgets that the run must meet, such as "bounded-10.item.p99 < 250ms".`},

	"Items.kind":       {doc: "phone-numbers (one argument) or date-ranges (start and end date).", oneOf: []string{"phone-numbers", "date-ranges"}},
	"Items.file":       {doc: "File with an item a line, whose columns are arguments: .csv, or .jsonl with an array or an object a line; relative to this file.", filled: true},
	"Items.header":     {doc: "The first line of a .csv file names its columns. Default false: it is an item."},
	"Items.count":      {doc: `Number of distinct items; of a file, that many of its first lines, all by default. The short name of this factor is "items".`, span: between(1, maxItems)},
	"Items.duplicates": {doc: "Share of additional items that repeat earlier ones.", span: between(0, 1)},
	"Items.batches":    {doc: "Number of batches into which the items are split; they run sequentially. Default 1.", span: between(1, maxItems)},

	"Database.latency":   {doc: "Latency added to every command that reads or writes documents. Default none."},
	"Database.jitter":    {doc: "Spreads the latency evenly from latency − jitter to latency + jitter; at most latency. Default none."},
	"Database.bandwidth": {doc: "Bytes per second between the SUT and the database in each direction, shared by all connections. Default unlimited."},
	"Database.resets":    {doc: "Probability that the connection of a command is reset, in half of the cases after its execution.", span: between(0, 1)},
	"Database.documents": {doc: "per-item (default: one document an item, its records embedded), per-record, or none for a sut.command that writes nothing.", oneOf: []string{"per-item", "per-record", DocumentsNone}},

	"SUT.nofile":         {doc: "RLIMIT_NOFILE, soft and hard. Default 1024.", span: between(1, maxNoFile)},
	"SUT.hosts":          {doc: "Processes of a trial, each with its own limits, to which the items, or the requests to a service, are dealt out one after another. Default 1.", span: between(1, maxHosts)},
	"SUT.timeout":        {doc: "Timeout of one trial. Default 120s.", positive: true},
	"SUT.ready_timeout":  {doc: "Longest time from the start of the SUT's process until it reports that it is ready. Default 30s.", positive: true},
	"SUT.warmup":         {doc: "Work before the measured part, in the same process, that is part of no figure: items, or time. Default none."},
	"Warmup.items":       {doc: "Number of items, or of requests to an HTTP service.", span: between(1, maxReport)},
	"Warmup.for":         {doc: "Time for which items, or requests to an HTTP service, follow each other.", positive: true},
	"SUT.serial":         {doc: "CPU time of each item under one lock, as in an interpreter with a global lock; a plain duration is that of the fetch."},
	"SUT.command":        {doc: "Command that runs instead of the built-in SUT: with service an HTTP service, otherwise a program that speaks the protocol. Arguments may hold {{limit}}, {{nofile}}, {{upstream.url}}, {{database.uri}}, {{database.name}} and the variables of the variant, for an HTTP service {{addr}} and {{port}}, and ${NAME} of the environment.", filled: true},
	"SUT.env":            {doc: "Variables added to the environment of the command; values may hold the same variables as its arguments."},
	"SUT.ready":          {doc: "Sign that an HTTP service is ready; a path alone is that of http. Default: it accepts connections."},
	"SUT.metrics":        {doc: "Metrics of an HTTP service that join its time series, in Prometheus' text format, scraped once a second; a path alone is that of path."},
	"Scrape.path":        {doc: "Path of the metrics. Default /metrics.", filled: true},
	"Scrape.series":      {doc: `Names of metrics, with labels if need be: http_requests_total{code="200"}; several series that match are added up. Default: ` + enumerate(DefaultSeries()) + ", as far as the service has them.", filled: true},
	"SUT.pprof":          {doc: "Where the program serves Go's profiles (net/http/pprof), for floodgate run --profile: a path of an HTTP service such as /debug/pprof, or a URL on loopback.", filled: true},
	"SUT.pid":            {doc: "Process of an HTTP service that runs already, in place of command. It is never signalled.", span: between(1, 1<<22)},
	"SUT.port":           {doc: "Port of an HTTP service that runs already, in place of command: of loopback, or of sut.host.", span: between(1, 65535)},
	"SUT.host":           {doc: "Other machine on which the service of sut.port runs. It must be allowed by --allow-target; its process is not seen. Default: this machine.", filled: true},
	"SUT.addr":           {doc: "Loopback address that an HTTP service listens on. Default: a free one, which the service gets as {{addr}} or {{port}}.", filled: true},
	"SUT.build":          {doc: "Command that builds the program. It runs in the folder of the scenario, before a run and in a copy of each revision in floodgate gate diff.", filled: true},
	"Ready.http":         {doc: "Path that answers with a status of 200 to 399.", filled: true},
	"Ready.tcp":          {doc: "The service accepts connections."},
	"Ready.log":          {doc: "Text in a line of its standard output or standard error.", filled: true},
	"SUT.fetch_timeout":  {doc: "Timeout of one request. Default 30s.", positive: true},
	"SUT.write_timeout":  {doc: "Timeout of one write. Default 30s.", positive: true},
	"SUT.container":      {doc: "Container of the SUT: true for that of the built-in SUT, in the network of this machine, or an image of an HTTP service, or of a program in a pod. Default: the SUT is a process."},
	"Container.built_in": {doc: "Runs the built-in SUT in a container. Default false."},
	"Container.image":    {doc: "Image of an HTTP service, whose entrypoint runs, or sut.command in its place. With --env kubernetes, also that of a program that speaks the protocol; sut.command runs in it.", filled: true},
	"Container.port":     {doc: "TCP port on which the service listens in a network of its own, published on a free port of 127.0.0.1. Default: it is in the network of this machine, and listens at {{addr}}; in a pod, it is port 8080 of {{addr}}.", span: between(1, 65535)},
	"SUT.cpus":           {doc: "CPUs of the SUT's container. Default unlimited.", span: between(minCPUs, maxCPUs)},
	"SUT.memory":         {doc: "Memory of the SUT's container. Default unlimited."},
	"Serial.fetch":       {doc: "CPU time of each fetch."},
	"Serial.write":       {doc: "CPU time of each write."},

	"Containers.upstream": {doc: "Limits of the upstream's container."},
	"Containers.database": {doc: "Limits of the database's container."},
	"Limits.cpus":         {doc: "CPUs. Default unlimited.", span: between(minCPUs, maxCPUs)},
	"Limits.memory":       {doc: "Memory. Default unlimited."},
	"External.requests":   {doc: "Most requests of the whole run. Default 50000.", span: between(1, 1e9)},
	"External.rate":       {doc: "Most requests started in any second. Default 1000.", span: between(1, 1e6)},

	"Variant.name":        {doc: `Name of the variant. Default: the strategy with its limit, "bounded-10".`, name: true},
	"Variant.strategy":    strategyRule(),
	"Variant.vars":        {doc: "Values of the variables {{name}} in the command, environment and requests."},
	"Variant.limit":       parameterRule(pipeline.Limit),
	"Variant.writers":     parameterRule(pipeline.Writers),
	"Variant.queue":       parameterRule(pipeline.Queue),
	"Variant.batch":       parameterRule(pipeline.Batch),
	"Variant.linger":      parameterRule(pipeline.Linger),
	"Variant.algorithm":   algorithmRule(),
	"Variant.parameters":  settingsRule(),
	"Variant.where":       {doc: "Factors and the one value of each that selects the levels at which the variant runs. Default: all levels."},
	"Variant.connections": {doc: "Connections of the variant. Defaults follow from the strategy."},

	"Variant.scope":       {doc: "Scope of the limit of a service: report (default: each has its own limit) or shared by all reports; for " + enumerate(shareable()) + ".", oneOf: []string{"report", "shared"}},
	"Variant.limit_scope": limitScopeRule(),

	"Variant.waiting": {doc: "Number of items of all reports that may wait for a slot; a report that does not fit is rejected. For scope shared. Default: any number.", span: between(0, maxAtOnce)},

	"Service.report_items": {doc: "Items of a report. Default 30.", span: between(1, maxReport)},
	"Service.requests":     {doc: "Kinds of request that an HTTP service gets."},
	"Service.targets":      {doc: "File of requests in vegeta's http or json format, in place of requests; relative to this file. They come one after another, over and over.", filled: true},
	"Service.success":      {doc: "Statuses of answers that count as done. Default 200-299."},
	"Service.connections":  {doc: "Connections of the load generator to an HTTP service."},
	"Service.generators":   {doc: "Processes that send the load, to which the requests of its one schedule are dealt out by number. They divide connections.max. Default 1.", span: between(1, MaxGenerators)},
	"Service.tls":          {doc: "Makes requests go to https, and to HTTP/2 where the service offers it."},
	"Service.arrivals":     {doc: "Arrivals of reports, independent of the outcome of earlier ones."},
	"Service.duration":     {doc: "Duration of the load.", positive: true},
	"Service.timeout":      {doc: "Timeout of a report at the client. Default 30s.", positive: true},
	"Service.stall":        {doc: "Time without a completion, while reports are in flight, after which the service counts as stalled. Default 10s.", positive: true},
	"Service.recovery":     {doc: "Time after the load in which reports may still complete. Default 5s.", positive: true},
	"Arrivals.pattern":     {doc: "Pattern of the rate: constant (default), linear, steps or sine.", oneOf: []string{"constant", "linear", "steps", "sine"}},
	"Arrivals.rate":        {doc: "Reports per second: of constant, at the start of linear, the mean of sine.", span: between(0, maxRate)},
	"Arrivals.to":          {doc: "Reports per second at the end of linear.", span: between(0, maxRate)},
	"Arrivals.steps":       {doc: "Rates of steps, in order; the last one lasts until the end."},
	"Arrivals.amplitude":   {doc: "Amplitude of sine, at most its mean.", span: between(0, maxRate)},
	"Arrivals.period":      {doc: "Period of sine.", positive: true},
	"Arrivals.poisson":     {doc: "Reports arrive independently of each other, with that mean rate. Default: evenly."},
	"Request.method":       {doc: "HTTP method. Default GET.", filled: true},
	"Request.path":         {doc: "Path and query. It may hold {{n}} (the number of the request), {{item}} and the variables of the variant, and ${NAME} of the environment.", filled: true},
	"Request.headers":      {doc: "Headers by name; values may hold the same variables."},
	"Request.body":         {doc: "Body; it may hold the same variables."},
	"Request.body_file":    {doc: "File of the body, relative to this file.", filled: true},
	"Request.weight":       {doc: "Share of this request among all of them. Default 1.", span: between(0.001, 1e6)},

	"ClientConnections.max":       {doc: "Most connections to each host of the service; 0 means unbounded. Requests beyond it wait, and the wait is part of their service time.", span: between(0, maxAtOnce)},
	"ClientConnections.keepalive": {doc: "Connections are kept for later requests. Default true."},
	"TLS.ca":                      {doc: "PEM file of the certificate authority of the service. Default: the system's.", filled: true},
	"TLS.cert":                    {doc: "PEM file of the generator's own certificate.", filled: true},
	"TLS.key":                     {doc: "PEM file of its key.", filled: true},

	"Step.rate": {doc: "Reports per second.", span: between(0, maxRate)},
	"Step.for":  {doc: "Duration of the step.", positive: true},

	"SLO.p99":         {doc: "Time within which 99 % of the reports must be answered, counted from when they were due.", positive: true},
	"SLO.errors":      {doc: "Share of due reports that may fail, including rejected ones. Default 1%."},
	"SLO.descriptors": {doc: "Share of sut.nofile that may be in use. Default 80%."},

	"Connections.upstream":           {doc: "keep-alive (default) or fresh: a new connection for each request.", oneOf: []string{"keep-alive", "fresh"}},
	"Connections.clients":            {doc: "shared (default) or per-batch: created for each batch of items and closed after it. For a service also per-report, or forgotten: created for each report and never closed.", oneOf: []string{"shared", "per-batch", "per-report", "forgotten"}},
	"Connections.max_conns_per_host": {doc: "Most connections to the upstream; 0 means unlimited. The default depends on the strategy.", span: between(0, maxAtOnce)},
	"Connections.max_pool_size":      {doc: "Most connections in the database driver's pool; 0 means unlimited. The default depends on the strategy.", span: between(0, maxAtOnce)},

	"Quick.levels":   {doc: "Levels with --quick."},
	"Quick.blocks":   {doc: "Blocks with --quick.", span: between(MinBlocks, maxBlocks)},
	"Quick.variants": {doc: "Names of the variants that run with --quick.", variant: true},

	"Claim.id":          {doc: "Short identifier of the claim.", name: true},
	"Claim.statement":   {doc: "The claim in its author's words.", filled: true},
	"Claim.expect":      {doc: "Expected judgment, which determines the exit code: proved (default) or refuted.", oneOf: []string{"proved", "refuted"}},
	"Claim.reduction":   {doc: "Variants take less time than another by at least a given share, at every selected level."},
	"Claim.growth":      {doc: "The reduction grows with a factor."},
	"Claim.descriptors": {doc: "Peak file descriptors stay within the prediction, or grow with a factor."},
	"Claim.documents":   {doc: "No document is lost, duplicated or garbled."},

	"Claim.limit_respected": {doc: "The upstream never sees more requests in flight than the declared limit of the variants."},

	"Claim.exhaustion":           {doc: "All trials of a service's variants run out of file descriptors, or none do."},
	"Claim.cause":                {doc: "Cause of the growth of descriptors of a service's variants."},
	"Claim.time_series":          {doc: "Time series that climb during the load of a service, and ones that stay steady."},
	"Claim.predicted_exhaustion": {doc: "Descriptors of a service's variants run out at the predicted time."},

	"Claim.adaptation": {doc: "Adaptive limits settle after the steps of the upstream, without much overshoot, lost throughput or latency."},

	"AdaptationClaim.of":               {doc: "Names of the variants, each with strategy adaptive.", variant: true},
	"AdaptationClaim.converges_within": {doc: "Time from a step (phase) of the upstream within which the limit stays within 25 % of where it settles, in every trial.", positive: true},
	"AdaptationClaim.overshoot":        {doc: "Highest limit after a step in every trial, as a multiple of the best fixed limit.", span: between(1, 1000)},
	"AdaptationClaim.throughput_lost":  {doc: `Greatest share of the throughput of the best fixed limit that is lost, such as "10%".`},
	"AdaptationClaim.p99":              {doc: "Greatest 99th percentile of the time of an item, as a multiple of that of the best fixed limit.", span: between(0.01, 1000)},
	"AdaptationClaim.where":            {doc: "Factors and the one value of each that selects levels. Default: all levels."},

	"LimitRespectedClaim.of": {doc: "Names of the variants, each of which declares a limit.", variant: true},
	"ExhaustionClaim.of":     {doc: "Names of the variants.", variant: true},
	"ExhaustionClaim.is":     {doc: "always (default): every trial runs out of descriptors; never: no trial does.", oneOf: []string{"always", "never"}},
	"ExhaustionClaim.where":  {doc: "Factors and the one value of each that selects levels. Default: all levels."},
	"CauseClaim.of":          {doc: "Names of the variants.", variant: true},
	"CauseClaim.is":          {doc: "leak: completed reports leave descriptors open; load: reports in flight hold them; neither: they do not grow with reports.", oneOf: []string{"leak", "load", "neither"}},
	"CauseClaim.where":       {doc: "Factors and the one value of each that selects levels. Default: all levels."},

	"TimeSeriesClaim.of":              {doc: "Names of the variants.", variant: true},
	"TimeSeriesClaim.climbs":          {doc: "Columns of the time series that grow during the load.", oneOf: TimeSeriesColumns()},
	"TimeSeriesClaim.steady":          {doc: "Columns of the time series that do not grow.", oneOf: TimeSeriesColumns()},
	"TimeSeriesClaim.where":           {doc: "Factors and the one value of each that selects levels. Default: all levels."},
	"PredictedExhaustionClaim.of":     {doc: "Names of the variants.", variant: true},
	"PredictedExhaustionClaim.within": {doc: `Greatest error of the prediction as a share of the time, such as "20%".`},
	"PredictedExhaustionClaim.where":  {doc: "Factors and the one value of each that selects levels. Default: all levels."},

	"Threshold.rule":     {doc: "<variant>.<metric> <op> <value>, or reduction(<variant>, <baseline>) <op> <percentage>.", rule: true},
	"Threshold.margin":   {doc: `Tolerance as a share of the limit, such as "5%". Default none.`},
	"Threshold.severity": {doc: "fail (default), or warn, which does not change the exit code.", oneOf: []string{SeverityFail, SeverityWarn}},
	"Threshold.abort":    {doc: "true stops the run as soon as the budget can no longer be met. Default false. Does not apply to a reduction, which is known only at the end, or to a budget that only warns."},
	"Threshold.where":    {doc: "Factors and the one value that selects levels. Default: all levels at which the variant runs."},

	"ReductionClaim.of":        {doc: "Names of the variants.", variant: true},
	"ReductionClaim.reference": {doc: "Name of the reference variant.", variant: true},
	"ReductionClaim.at_least":  {doc: `Least reduction, such as "60%".`},
	"ReductionClaim.where":     {doc: "Factors and the one value of each that selects levels. Default: all levels."},
	"GrowthClaim.of":           {doc: "Names of the variants.", variant: true},
	"GrowthClaim.reference":    {doc: "Name of the reference variant.", variant: true},
	"GrowthClaim.with":         {doc: "The factor. Default items.", factor: true, filled: true},
	"GrowthClaim.where":        {doc: "Factors and the one value of each that selects levels. Default: all levels."},
	"DescriptorsClaim.within":  {doc: "Names of the variants whose peak stays within the prediction.", variant: true},
	"DescriptorsClaim.grows":   {doc: "Names of the variants whose peak grows with the factor.", variant: true},
	"DescriptorsClaim.with":    {doc: "The factor. Default items.", factor: true, filled: true},
	"DocumentsClaim.of":        {doc: "Names of the variants. Default: all.", variant: true},

	"Profile.latency":        {doc: "Delay before the first byte of an answer."},
	"Profile.request":        {doc: "Request for an item. Default: GET /items/<arg>[/<arg>…]."},
	"Profile.records":        {doc: `Path of the list of records in an answer: names of fields joined by dots, such as "data.calls", or "." for the whole answer. Default records.`, filled: true},
	"Profile.body":           {doc: "Size of answers, or the answer itself."},
	"Profile.faults":         {doc: "Faults, drawn in order; the first one that is drawn is injected."},
	"Profile.capacity":       {doc: "Bound of the requests served concurrently. Default: unlimited."},
	"Profile.rate":           {doc: "Token bucket that requests pass first. Default: unlimited."},
	"Profile.phases":         {doc: "Phases, which replace parts of the profile at given times after the start."},
	"Profile.late_bound":     {doc: "Largest median lateness of answers at which the mock is not saturated. Default 2ms."},
	"Profile.late_p99_bound": {doc: "The same bound for the 99th percentile. Default 10 times late_bound."},

	"Distribution.distribution": {doc: "Kind of distribution, which determines the other fields that apply.", oneOf: []string{"constant", "uniform", "lognormal", "percentiles", "replay"}},
	"Distribution.value":        {doc: "The delay of constant."},
	"Distribution.min":          {doc: "Least delay of uniform."},
	"Distribution.max":          {doc: "Greatest delay of uniform; cap of lognormal and percentiles."},
	"Distribution.median":       {doc: "Median of lognormal."},
	"Distribution.sigma":        {doc: "Standard deviation of the logarithm of lognormal.", span: between(0, 5)},
	"Distribution.p50":          {doc: "50th percentile (median) of percentiles."},
	"Distribution.p95":          {doc: "95th percentile of percentiles."},
	"Distribution.p99":          {doc: "99th percentile of percentiles."},
	"Distribution.plus":         {doc: "Duration added to every delay."},
	"Distribution.file":         {doc: "File of delays of replay, one Go duration per line; relative to this file."},
	"Distribution.samples":      {doc: "Delays of replay, instead of a file."},

	"ItemRequest.method":  {doc: "HTTP method. Default GET.", filled: true},
	"ItemRequest.path":    {doc: "Path and query. {0} is the first column of the items; it may hold ${NAME} of the environment. Both are escaped.", filled: true},
	"ItemRequest.headers": {doc: "Headers by name; values may hold ${NAME} of the environment."},

	"Body.file":           {doc: "File with the answer to every request, in JSON; relative to this file.", filled: true},
	"Body.distribution":   {doc: "uniform (default) or lognormal.", oneOf: []string{"uniform", "lognormal"}},
	"Body.median_records": {doc: "Median of lognormal.", span: between(0, maxRecords/100)},
	"Body.sigma":          {doc: "Standard deviation of the logarithm of lognormal.", span: between(0, 5)},
	"Body.min_records":    {doc: "Least number of records in an answer.", span: between(0, maxRecords)},
	"Body.max_records":    {doc: "Greatest number of records in an answer.", span: between(0, maxRecords)},

	"Fault.kind":        {doc: "Kind of the fault.", oneOf: []string{"status", "reset", "hang", "truncate", "slow", "close"}},
	"Fault.probability": {doc: "Probability of the fault for one key and attempt.", span: between(0, 1)},
	"Fault.status":      {doc: "Status code of kind status.", span: between(400, 599)},
	"Fault.for":         {doc: "Time for which hang holds a request before the reset (default 30s), or in which slow sends the body (default 1s)."},

	"Capacity.workers":     {doc: "Requests served concurrently. 0 means unlimited and is valid only in a phase.", span: between(0, maxAtOnce)},
	"Capacity.queue":       {doc: "Requests that may wait for a worker. Default 0.", span: between(0, maxAtOnce)},
	"Capacity.full":        {doc: "Treatment of requests that find the queue full: wait (default), 429 or 503.", oneOf: []string{"wait", "429", "503"}},
	"Capacity.retry_after": {doc: "Retry-After header of a 429 or 503. Default 1s."},

	"RateLimit.per_second": {doc: "Requests per second; above this rate the answer is 429. 0 means unlimited and is valid only in a phase.", span: between(0, 1e9)},
	"RateLimit.burst":      {doc: "Requests that may arrive at the same time. Default 1.", span: between(0, maxAtOnce)},

	"Phase.after":    {doc: "Start of the phase, counted from the start of the work of a trial."},
	"Phase.latency":  {doc: "Delay from then on."},
	"Phase.faults":   {doc: "All faults from then on; an empty list means none.", empty: true},
	"Phase.capacity": {doc: "Capacity from then on."},
	"Phase.rate":     {doc: "Rate limit from then on."},
}

// rule describes a field and restricts its values. The loader enforces it and the
// JSON Schema states it, so that the two agree.
type rule struct {
	doc      string
	oneOf    []string // the valid texts; nil means any
	name     bool     // the text is a short identifier
	filled   bool     // the text is not blank
	positive bool     // the duration is not zero
	empty    bool     // the list may be empty
	factor   bool     // the text names a factor
	rule     bool     // the text is a threshold's rule
	variant  bool     // the text names a variant; in a list each once
	span     *span    // the range of a number; nil means any
	most     Duration // the greatest duration; zero means maxDuration
}

// span is a range of numbers, both ends included.
type span = strictyaml.Range

func between(low, high float64) *span { return &span{Min: low, Max: high} }

const (
	// MinBlocks is the least number of blocks: a two-sided signed-rank test
	// at 5 % cannot reject with 5 pairs or fewer.
	MinBlocks = 6
	// MaxLevels bounds the product of the factors.
	MaxLevels = 1000

	maxBlocks    = 10_000
	minCPUs      = 0.01 // Docker's own least share
	maxCPUs      = 1024
	maxItems     = 10_000_000 // distinct numbers of seven digits
	maxWeeks     = 400_000    // consecutive weeks before the year 9999
	maxAtOnce    = 1_000_000
	maxHosts     = 1000
	maxReport    = 100_000
	maxRate      = 1e6
	maxRecords   = 1_000_000
	maxDuration  = Duration(24 * time.Hour)
	maxNoFile    = 1 << 20 // Linux's default fs.nr_open
	namePattern  = `^[a-z0-9]+(-[a-z0-9]+)*$`
	blankPattern = `\S`
	// durationPattern matches the input of time.ParseDuration without a sign and
	// leading zeros, and always with a unit.
	durationPattern = `^((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))*$`
)

var (
	nameText = regexp.MustCompile(namePattern)
	// durationText allows leading zeros, which have an error of their own.
	durationText = regexp.MustCompile(`^(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$`)
)

// kindsOfClaim are the fields of Claim of which exactly one is set.
var kindsOfClaim = []string{"reduction", "growth", "descriptors", "documents", "limit_respected", "exhaustion", "cause", "time_series", "predicted_exhaustion", "adaptation"}

// claimsOfEither are those kinds that are about a service or about items.
var claimsOfEither = []string{"documents", "limit_respected"}

// claimsOfService are those kinds that only a service has.
var claimsOfService = []string{"exhaustion", "cause", "time_series", "predicted_exhaustion"}

// ruleFor returns the rule of a field, by the name of its type and its key in the file.
func ruleFor(typeName, key string) rule { return rules[typeName+"."+key] }

// constraints returns the rule of a field in the form of the decoder.
func constraints(parent reflect.Type, field reflect.StructField) strictyaml.Rule {
	key, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
	return ruleFor(parent.Name(), key).constraints(field.Type)
}

func (r rule) constraints(t reflect.Type) strictyaml.Rule {
	c := strictyaml.Rule{OneOf: r.oneOf, Range: r.span, NonEmpty: !r.empty, Distinct: r.variant, Valid: r.valid}
	switch {
	case r.name:
		c.Want = fmt.Sprintf(`a short name such as "report-2017": lower case letters, digits and single hyphens between them, at most %d`, maxNameLength)
	case r.filled:
		c.Want = "text that is not blank"
	case r.variant:
		c.Want = "the name of a variant"
	case r.rule:
		c.Want = ruleWanted
	case r.positive:
		c.Want = fmt.Sprintf(`a duration above 0s and up to %s, such as "20ms"`, maxDuration)
	case t == durationType || t.Kind() == reflect.Slice && t.Elem() == durationType:
		c.Want = fmt.Sprintf(`a duration of 0s to %s, such as "20ms"`, cmp.Or(r.most, maxDuration))
	}
	return c
}

// valid reports whether a value of the field's type satisfies the parts of the
// rule that the decoder does not check itself.
func (r rule) valid(v any) bool {
	switch v := v.(type) {
	case Duration:
		return v >= 0 && v <= cmp.Or(r.most, maxDuration) && (v > 0 || !r.positive)
	case string:
		return (!r.name || isName(v)) && (!r.filled || strings.TrimSpace(v) != "")
	}
	return true
}

// isName reports whether a text is a short identifier.
func isName(text string) bool { return len(text) <= maxNameLength && nameText.MatchString(text) }

const maxNameLength = 64

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
