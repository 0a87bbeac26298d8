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

// rules of every field that a scenario file may hold.
var rules = map[string]rule{
	"Scenario.version":     {doc: "Version of the file format: 1.", span: between(1, 1)},
	"Scenario.name":        {doc: "Short identifier of the scenario.", name: true},
	"Scenario.title":       {doc: "What the scenario is, in a line.", filled: true},
	"Scenario.description": {doc: "What the scenario shows, in as many lines as it takes.", filled: true},
	"Scenario.seed":        {doc: "Seed of every draw; the same seed gives the same items, delays and faults. Default 1."},
	"Scenario.items":       {doc: "What the pipeline works on."},
	"Scenario.upstream":    {doc: "How the mock upstream behaves. Default: it answers at once, with one record an item and no faults."},
	"Scenario.database":    {doc: "How the database behaves beyond what it is."},
	"Scenario.sut":         {doc: "How the system under test runs."},
	"Scenario.containers":  {doc: "What the containers of upstream and database may use; such a scenario runs in the environment containers alone."},
	"Scenario.service":     {doc: "The SUT serves reports that come under load, in place of working off its items once."},
	"Scenario.slo":         {doc: "What the service must keep at a rate that it sustains; for floodgate plan rate."},
	"Scenario.external":    {doc: "What an external upstream may be asked for."},
	"Scenario.variants":    {doc: "The ways to run the pipeline that are compared."},
	"Scenario.levels":      {doc: "Where the variants are compared: each entry maps factors (paths in this file) to one value or a list and is the product of its lists; the entries add up."},
	"Scenario.blocks":      {doc: "How many times every variant runs at every level; a two-sided signed-rank test at 5 % cannot reject with fewer than 6.", span: between(MinBlocks, maxBlocks)},
	"Scenario.quick":       {doc: "What --quick replaces."},
	"Scenario.claims":      {doc: "Statements to judge."},
	"Scenario.thresholds":  {doc: `Budgets that the run must keep, such as "bounded-10.item.p99 < 250ms".`},

	"Items.kind":       {doc: "phone-numbers (one argument) or date-ranges (start and end date).", oneOf: []string{"phone-numbers", "date-ranges"}},
	"Items.count":      {doc: `Number of distinct items. As a factor "items" for short.`, span: between(1, maxItems)},
	"Items.duplicates": {doc: "Share of further items that repeat earlier ones.", span: between(0, 1)},
	"Items.batches":    {doc: "Batches that the items are split into, run one after another. Default 1.", span: between(1, maxItems)},

	"Database.latency":   {doc: "Added to every command that reads or writes documents. Default none."},
	"Database.jitter":    {doc: "Spreads latency evenly from latency − jitter to latency + jitter; at most latency. Default none."},
	"Database.bandwidth": {doc: "Bytes a second between core and database, each way, that all connections share. Default unlimited."},
	"Database.resets":    {doc: "Probability that the connection of a command is reset, half of them after it was carried out.", span: between(0, 1)},
	"Database.documents": {doc: "per-item (default: one document an item, its records embedded) or per-record.", oneOf: []string{"per-item", "per-record"}},

	"SUT.nofile":        {doc: "RLIMIT_NOFILE, soft and hard. Default 1024.", span: between(1, maxNoFile)},
	"SUT.timeout":       {doc: "Of one trial. Default 120s.", positive: true},
	"SUT.ready_timeout": {doc: "From the start of the SUT's process until it says that it is ready. Default 30s.", positive: true},
	"SUT.serial":        {doc: "CPU time that an item needs under one lock, as in an interpreter with a global lock; a plain duration is that of the fetch."},
	"SUT.command":       {doc: "Runs instead of our own SUT and speaks its protocol.", filled: true},
	"SUT.fetch_timeout": {doc: "Of one request. Default 30s.", positive: true},
	"SUT.write_timeout": {doc: "Of one write. Default 30s.", positive: true},
	"SUT.container":     {doc: "Runs our own SUT in a container, in the network of this machine. Default false."},
	"SUT.cpus":          {doc: "CPUs of that container. Default unlimited.", span: between(minCPUs, maxCPUs)},
	"SUT.memory":        {doc: "Memory of that container. Default unlimited."},
	"Serial.fetch":      {doc: "CPU time around each fetch."},
	"Serial.write":      {doc: "CPU time around each write."},

	"Containers.upstream": {doc: "Limits of the upstream's container."},
	"Containers.database": {doc: "Limits of the database's container."},
	"Limits.cpus":         {doc: "CPUs. Default unlimited.", span: between(minCPUs, maxCPUs)},
	"Limits.memory":       {doc: "Memory. Default unlimited."},
	"External.requests":   {doc: "Requests of the whole run at most. Default 50000.", span: between(1, 1e9)},
	"External.rate":       {doc: "Requests begun in any second at most. Default 1000.", span: between(1, 1e6)},

	"Variant.name":        {doc: `Name of the variant. Default: the strategy with its limit, "bounded-10".`, name: true},
	"Variant.strategy":    strategyRule(),
	"Variant.limit":       parameterRule(pipeline.Limit),
	"Variant.writers":     parameterRule(pipeline.Writers),
	"Variant.queue":       parameterRule(pipeline.Queue),
	"Variant.batch":       parameterRule(pipeline.Batch),
	"Variant.linger":      parameterRule(pipeline.Linger),
	"Variant.where":       {doc: "Factors and the one value that selects the levels at which it runs. Default: all levels."},
	"Variant.connections": {doc: "How the variant connects; what is left out follows from the strategy."},

	"Variant.scope":   {doc: "Scope of the limit of a service: report (default: each has one of its own) or shared by all reports; for " + enumerate(shareable()) + ".", oneOf: []string{"report", "shared"}},
	"Variant.waiting": {doc: "Items that may wait for a slot, all reports together; a report that does not fit is turned away. For scope shared. Default: any number.", span: between(0, maxAtOnce)},

	"Service.report_items": {doc: "Items of a report. Default 30.", span: between(1, maxReport)},
	"Service.arrivals":     {doc: "When reports come, whatever became of those before."},
	"Service.duration":     {doc: "How long they come.", positive: true},
	"Service.timeout":      {doc: "Of a report, at the client. Default 30s.", positive: true},
	"Service.stall":        {doc: "How long nothing may be completed while reports are in flight. Default 10s.", positive: true},
	"Service.recovery":     {doc: "How long after the load a report may take to be done. Default 5s.", positive: true},
	"Arrivals.pattern":     {doc: "constant (default), linear, steps or sine.", oneOf: []string{"constant", "linear", "steps", "sine"}},
	"Arrivals.rate":        {doc: "Reports a second: of constant, at the begin of linear, the mean of sine.", span: between(0, maxRate)},
	"Arrivals.to":          {doc: "Reports a second at the end of linear.", span: between(0, maxRate)},
	"Arrivals.steps":       {doc: "Rates one after another; the last one lasts."},
	"Arrivals.amplitude":   {doc: "Of sine, up to its mean.", span: between(0, maxRate)},
	"Arrivals.period":      {doc: "Of sine.", positive: true},
	"Arrivals.poisson":     {doc: "Reports come independently of each other, with that rate in the mean. Default: evenly."},
	"Step.rate":            {doc: "Reports a second.", span: between(0, maxRate)},
	"Step.for":             {doc: "How long.", positive: true},

	"SLO.p99":         {doc: "99 % of the reports must be answered within this time of when they were due.", positive: true},
	"SLO.errors":      {doc: "Share of due reports that may be not done, those turned away included. Default 1%."},
	"SLO.descriptors": {doc: "Share of sut.nofile that may be open. Default 80%."},

	"Connections.upstream":           {doc: "keep-alive (default) or fresh: a new connection a request.", oneOf: []string{"keep-alive", "fresh"}},
	"Connections.clients":            {doc: "shared (default) or per-batch: made for each batch of items and closed after it; of a service also per-report, or forgotten: made for each report and never closed.", oneOf: []string{"shared", "per-batch", "per-report", "forgotten"}},
	"Connections.max_conns_per_host": {doc: "Bound of the connections to the upstream; 0: unlimited. Default: by the strategy.", span: between(0, maxAtOnce)},
	"Connections.max_pool_size":      {doc: "Bound of the database driver's pool; 0: unlimited. Default: by the strategy.", span: between(0, maxAtOnce)},

	"Quick.levels":   {doc: "Levels with --quick."},
	"Quick.blocks":   {doc: "Blocks with --quick.", span: between(MinBlocks, maxBlocks)},
	"Quick.variants": {doc: "Names of the variants that run with --quick.", variant: true},

	"Claim.id":          {doc: "Short identifier of the claim.", name: true},
	"Claim.statement":   {doc: "The claim in its author's words.", filled: true},
	"Claim.expect":      {doc: "proved (default) or refuted: what the exit code goes by.", oneOf: []string{"proved", "refuted"}},
	"Claim.reduction":   {doc: "Variants take at least so much less time than another, at every selected level."},
	"Claim.growth":      {doc: "The reduction grows with a factor."},
	"Claim.descriptors": {doc: "Peak file descriptors stay within the prediction, or grow with a factor."},
	"Claim.documents":   {doc: "No document is lost, duplicated or garbled."},

	"Claim.exhaustion":           {doc: "Every trial of a service's variants runs out of file descriptors, or none does."},
	"Claim.cause":                {doc: "Why the descriptors of a service's variants grow."},
	"Claim.time_series":          {doc: "What grows while reports come to a service, and what does not."},
	"Claim.predicted_exhaustion": {doc: "Descriptors of a service's variants run out when it was predicted."},

	"ExhaustionClaim.of":    {doc: "Names of the variants.", variant: true},
	"ExhaustionClaim.is":    {doc: "always (default): every trial runs out of descriptors; never: none does.", oneOf: []string{"always", "never"}},
	"ExhaustionClaim.where": {doc: "Factors and the one value that selects levels. Default: all levels."},
	"CauseClaim.of":         {doc: "Names of the variants.", variant: true},
	"CauseClaim.is":         {doc: "leak: reports completed leave them behind; load: reports in flight hold them; neither: they do not grow with reports.", oneOf: []string{"leak", "load", "neither"}},
	"CauseClaim.where":      {doc: "Factors and the one value that selects levels. Default: all levels."},

	"TimeSeriesClaim.of":              {doc: "Names of the variants.", variant: true},
	"TimeSeriesClaim.climbs":          {doc: "What grows while the load lasts.", oneOf: TimeSeriesColumns()},
	"TimeSeriesClaim.steady":          {doc: "What does not.", oneOf: TimeSeriesColumns()},
	"TimeSeriesClaim.where":           {doc: "Factors and the one value that selects levels. Default: all levels."},
	"PredictedExhaustionClaim.of":     {doc: "Names of the variants.", variant: true},
	"PredictedExhaustionClaim.within": {doc: `Share of the time by which the prediction may be wrong, such as "20%".`},
	"PredictedExhaustionClaim.where":  {doc: "Factors and the one value that selects levels. Default: all levels."},

	"Threshold.rule":     {doc: "<variant>.<metric> <op> <value>, or reduction(<variant>, <baseline>) <op> <percentage>.", rule: true},
	"Threshold.margin":   {doc: `What the limit may be missed by, as a share of it, such as "5%". Default none.`},
	"Threshold.severity": {doc: "fail (default), or warn, which leaves the exit code alone.", oneOf: []string{SeverityFail, SeverityWarn}},
	"Threshold.abort":    {doc: "true ends the run as soon as no trial to come can keep the budget any more. Default false. A reduction, known at the end alone, and a budget that only warns cannot."},
	"Threshold.where":    {doc: "Factors and the one value that selects levels. Default: all levels at which the variant runs."},

	"ReductionClaim.of":        {doc: "Names of the variants.", variant: true},
	"ReductionClaim.reference": {doc: "Name of the variant that they are compared with.", variant: true},
	"ReductionClaim.at_least":  {doc: `Least reduction, such as "60%".`},
	"ReductionClaim.where":     {doc: "Factors and the one value that selects levels. Default: all levels."},
	"GrowthClaim.of":           {doc: "Names of the variants.", variant: true},
	"GrowthClaim.reference":    {doc: "Name of the variant that they are compared with.", variant: true},
	"GrowthClaim.with":         {doc: "The factor. Default items.", factor: true, filled: true},
	"GrowthClaim.where":        {doc: "Factors and the one value that selects levels. Default: all levels."},
	"DescriptorsClaim.within":  {doc: "Names of the variants whose peak stays within the prediction.", variant: true},
	"DescriptorsClaim.grows":   {doc: "Names of the variants whose peak grows with the factor.", variant: true},
	"DescriptorsClaim.with":    {doc: "The factor. Default items.", factor: true, filled: true},
	"DocumentsClaim.of":        {doc: "Names of the variants. Default: all.", variant: true},

	"Profile.latency":        {doc: "Delay before the first byte of an answer."},
	"Profile.body":           {doc: "How large answers are."},
	"Profile.faults":         {doc: "Tried in order; the first one drawn is injected."},
	"Profile.capacity":       {doc: "Bound of the requests worked on at once. Default: unlimited."},
	"Profile.rate":           {doc: "Token bucket in front of everything. Default: unlimited."},
	"Profile.phases":         {doc: "Replace parts of the profile from a time after the start on."},
	"Profile.late_bound":     {doc: "How late the median answer may be before the mock calls itself saturated. Default 2ms."},
	"Profile.late_p99_bound": {doc: "The same for the 99th percentile. Default 10 times late_bound."},

	"Distribution.distribution": {doc: "Which distribution; it decides which of the other fields are read.", oneOf: []string{"constant", "uniform", "lognormal", "percentiles", "replay"}},
	"Distribution.value":        {doc: "The delay of constant."},
	"Distribution.min":          {doc: "Least delay of uniform."},
	"Distribution.max":          {doc: "Greatest delay of uniform; cap of lognormal and percentiles."},
	"Distribution.median":       {doc: "Median of lognormal."},
	"Distribution.sigma":        {doc: "Standard deviation of the logarithm of lognormal.", span: between(0, 5)},
	"Distribution.p50":          {doc: "Half of the delays of percentiles are below."},
	"Distribution.p95":          {doc: "95 % of the delays of percentiles are below."},
	"Distribution.p99":          {doc: "99 % of the delays of percentiles are below."},
	"Distribution.plus":         {doc: "Added to every delay."},
	"Distribution.file":         {doc: "Delays of replay, one Go duration a line; relative to this file."},
	"Distribution.samples":      {doc: "Delays of replay, in place of a file."},

	"Body.distribution":   {doc: "uniform (default) or lognormal.", oneOf: []string{"uniform", "lognormal"}},
	"Body.median_records": {doc: "Median of lognormal.", span: between(0, maxRecords/100)},
	"Body.sigma":          {doc: "Standard deviation of the logarithm of lognormal.", span: between(0, 5)},
	"Body.min_records":    {doc: "Least number of records in an answer.", span: between(0, maxRecords)},
	"Body.max_records":    {doc: "Greatest number of records in an answer.", span: between(0, maxRecords)},

	"Fault.kind":        {doc: "What the answer is replaced with.", oneOf: []string{"status", "reset", "hang", "truncate", "slow", "close"}},
	"Fault.probability": {doc: "For one key and attempt.", span: between(0, 1)},
	"Fault.status":      {doc: "The answer of kind status.", span: between(400, 599)},
	"Fault.for":         {doc: "How long hang holds a request before it resets (default 30s), and how long slow takes over the body (default 1s)."},

	"Capacity.workers":     {doc: "Requests served at once. 0, in a phase only: unlimited.", span: between(0, maxAtOnce)},
	"Capacity.queue":       {doc: "Requests that may wait for a worker. Default 0.", span: between(0, maxAtOnce)},
	"Capacity.full":        {doc: "What happens to the next: wait (default), 429 or 503.", oneOf: []string{"wait", "429", "503"}},
	"Capacity.retry_after": {doc: "What a 429 or 503 tells the client. Default 1s."},

	"RateLimit.per_second": {doc: "Requests a second; above it the answer is 429. 0, in a phase only: unlimited.", span: between(0, 1e9)},
	"RateLimit.burst":      {doc: "Requests that may come at once. Default 1.", span: between(0, maxAtOnce)},

	"Phase.after":    {doc: "When the phase begins, since the profile was set."},
	"Phase.latency":  {doc: "Delay from then on."},
	"Phase.faults":   {doc: "All faults from then on; an empty list ends them.", empty: true},
	"Phase.capacity": {doc: "Capacity from then on."},
	"Phase.rate":     {doc: "Rate limit from then on."},
}

// rule is what a field may hold and what it is for. The loader enforces it and
// the JSON Schema states it, so that the two agree.
type rule struct {
	doc      string
	oneOf    []string // the allowed texts; nil: any
	name     bool     // the text is a short identifier
	filled   bool     // the text is not blank
	positive bool     // the duration is not zero
	empty    bool     // the list may be empty
	factor   bool     // the text names a factor
	rule     bool     // the text is a threshold's rule
	variant  bool     // the text names a variant; in a list each once
	span     *span    // of a number; nil: any
	most     Duration // of a duration; 0: maxDuration
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
	maxReport    = 100_000
	maxRate      = 1e6
	maxRecords   = 1_000_000
	maxDuration  = Duration(24 * time.Hour)
	maxNoFile    = 1 << 20 // Linux's default fs.nr_open
	namePattern  = `^[a-z0-9]+(-[a-z0-9]+)*$`
	blankPattern = `\S`
	// durationPattern is what time.ParseDuration takes, without a sign, without
	// leading zeros and always with a unit.
	durationPattern = `^((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))*$`
)

var (
	nameText = regexp.MustCompile(namePattern)
	// durationText allows leading zeros, which have an error of their own.
	durationText = regexp.MustCompile(`^(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$`)
)

// kindsOfClaim are the fields of Claim of which exactly one is set.
var kindsOfClaim = []string{"reduction", "growth", "descriptors", "documents", "exhaustion", "cause", "time_series", "predicted_exhaustion"}

// claimsOfService are those kinds that only a service has.
var claimsOfService = []string{"exhaustion", "cause", "time_series", "predicted_exhaustion"}

// ruleFor is the rule of a field, by the name of its type and its key in the file.
func ruleFor(typeName, key string) rule { return rules[typeName+"."+key] }

// constraints is the rule of a field as the decoder takes it.
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

// valid reports whether a value of the field's type keeps to the rule, apart
// from what the decoder itself checks.
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
