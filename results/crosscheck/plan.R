# Recomputes every figure of a plan of limits, as `floodgate report PLAN --format json` prints it,
# from the records of its trials.

# conclude makes the interim analyses of log-ratios d, in the order in which they were measured: each
# takes the signed-rank interval at level 1 - alpha/analyses and compares it with the logarithm of
# 1 + margin. They end at the first decision, or if the chance that a later one decides is below
# futility (predictive power: D. J. Spiegelhalter, L. S. Freedman, P. R. Blackburn, Controlled Clinical
# Trials 7, 1986). Pairs beyond the last analysis that was due are analyzed once, at the end.
conclude <- function(d, design) {
  level <- 1 - design$alpha / length(design$at)
  limit <- log1p(design$margin)
  due <- design$at[design$at <= length(d)]
  judged <- list(verdict = "inconclusive", n = 0)
  for (n in unique(c(due, if (length(due) < length(design$at)) length(d)))) {
    x <- d[seq_len(n)]
    r <- signed_rank(x, level)
    if (is.null(r)) return(judged)
    judged <- list(verdict = c("not worse", "inconclusive", "worse")[beyond(x, limit, level) + 2], interval = r, n = n)
    later <- design$at[design$at > n]
    if (judged$verdict != "inconclusive" || length(later) == 0 || chance(x, limit, level, later) < design$futility) return(judged)
  }
  judged
}

chance <- function(x, limit, level, later) {
  r <- signed_rank(x, 0.8)
  n <- length(x)
  s <- (r$high - r$low) / 2 * sqrt(n) / qnorm(0.5 + r$achieved / 2)
  if (s == 0) return(1)
  half <- qnorm(0.5 + level / 2) * s / sqrt(later)
  sd <- s * sqrt(1 / n - 1 / later)
  e <- hodges_lehmann(x)
  min(1, sum(pnorm((e - half - limit) / sd) + pnorm((limit - half - e) / sd)))
}

# share and short format as the program does in sentences: with three significant digits.
share <- function(x) sprintf("%.3g %%", 100 * x)
short <- function(ns) if (ns >= 1e9) sprintf("%.3g s", ns / 1e9) else if (ns >= 1e6) sprintf("%.3g ms", ns / 1e6) else sprintf("%.3g µs", ns / 1e3)

# usl fits the law to the logarithms of throughputs x at limits n by nls, with logarithmic parameters.
usl <- function(n, x, times = rep(1, length(n)), from) {
  fit <- nls(log(x) ~ g + log(n) - log1p(exp(a) * (n - 1) + exp(b) * n * (n - 1)),
    start = from, weights = times, control = nls.control(maxiter = 200, tol = 1e-6))
  coef(fit)
}
law <- function(p, n) unname(exp(p["g"] + log(n) - log1p(exp(p["a"]) * (n - 1) + exp(p["b"]) * n * (n - 1))))

# table_of tabulates the distribution of bars: 1,024 evenly spaced quantiles, the values of a bar
# being spread evenly over it. From and to select a part of the sorted values.
steps <- 1024
table_of <- function(bars, from = 0, to = 1) {
  total <- sum(bars$count)
  upper <- cumsum(bars$count)
  rank <- (from + (seq_len(steps) - 0.5) / steps * (to - from)) * total
  at <- pmin(findInterval(rank, upper) + 1, nrow(bars))
  below <- upper[at] - bars$count[at]
  cummax(bars$from[at] + (bars$to[at] - bars$from[at]) * pmin(1, (rank - below) / bars$count[at]))
}
typical <- function(tables) apply(do.call(cbind, tables), 1, median)
quantile_of <- function(table, u) approx((seq_len(steps) - 0.5) / steps, table, u, rule = 2)$y

# simulate returns the makespan and the p99 of items that a pool of n slots takes in turn. The times
# are a Latin hypercube sample of the distributions of each stage (M. D. McKay, R. J. Beckman,
# W. J. Conover, Technometrics 21(2), 1979); the first n writes each make their connection.
simulate <- function(items, n, stages) {
  draw <- function(table, k) quantile_of(table, (sample(k) - runif(k)) / k)
  time <- draw(stages$fetch, items) + draw(stages$write, items) + c(draw(stages$connect, min(n, items)), draw(stages$checkout, max(0, items - n)))
  free <- numeric(n)
  for (t in time) { i <- which.min(free); free[i] <- free[i] + t }
  c(max(free), unname(quantile(time, 0.99, type = 3)))
}

recompute_plan <- function(record, plan, file) {
  h <- record$header
  scenario <- h$scenario
  trials <- record$trials
  stopifnot(vapply(trials, function(t) t$outcome == "ok" && length(t$errors) == 0, TRUE), field(trials, "items_failed") == 0)
  bounded <- Filter(function(t) grepl("^bounded-", t$variant), trials)
  limit_of <- as.numeric(sub("^bounded-", "", vapply(bounded, `[[`, "", "variant")))
  limits <- sort(unique(limit_of))
  at <- function(limit) { found <- bounded[limit_of == limit]; found[order(field(found, "block"))] }

  # --- The head, and the requirements by default ---
  expect("kind", "limits"); expect("id", h$id); expect("started", h$started); expect("scenario", h$scenario_name)
  expect("title", scenario$title); expect("seed", h$seed); expect("strategy", "bounded"); expect("records", file)
  expect("environment", h$environment); expect("machine", h$fingerprint)
  nofile <- scenario$sut$nofile
  reach <- 0.95
  terms <- list(max_errors = 0.01, nofile = nofile, max_descriptors = floor(0.7 * nofile), reach = reach,
    analyses = list(at = list(8, 20, 50, 100), alpha = 0.05, margin = 1 / reach - 1, futility = 0.05), cores = h$fingerprint$cores)
  expect("terms", terms)
  design <- terms$analyses
  design$at <- unlist(design$at)
  # Descriptors rise by two with each slot, so that this many slots are possible.
  predicted <- function(limit) max(field(at(limit), "descriptors", "predicted"))
  stopifnot(predicted(limits[2]) - predicted(limits[1]) == 2 * (limits[2] - limits[1]))
  possible <- limits[1] + floor((nofile - predicted(limits[1])) / 2)
  expect("max_limit", min(512, possible))
  if (possible < 512) expect("capped_by_descriptors", TRUE)

  # --- The points ---
  # Throughput is that of the time in which all slots are in use: until the last item begins.
  rate <- function(t, limit) (t$stages$item$count - limit) / (t$stages$queue$max_ns / 1e9)
  center <- function(x) exponential(signed_rank(log(x), 0.95))
  points <- lapply(limits, function(limit) {
    of <- at(limit)
    stages <- lapply(setNames(nm = sort(names(of[[1]]$stages))), function(s) lapply(of, function(t) hdr(t$stages[[s]]$hdr)))
    merged <- lapply(stages, function(s) histogram(merge_bars(s)))
    rates <- vapply(of, rate, 0, limit)
    means <- vapply(stages, function(s) mean_of(merge_bars(s)), 0)
    p99 <- vapply(stages$item, percentile, 0, 0.99)
    in_flight <- mean(rates * field(of, "stages", "item", "mean_ns") / 1e9)
    kinds <- function(k) max(field(of, "descriptors", "inside", k))
    list(limit = limit, blocks = field(of, "block"), rates = rates, of = of, bars = stages, stages = merged, means = means, p99 = p99,
      peak = max(vapply(of, highest, 0)), in_flight = in_flight, kinds = lapply(setNames(nm = c("upstream", "mongo", "other")), kinds))
  })

  # In each block all limits gain or lose by the state of the machine: Tukey's median polish.
  blocks <- sort(unique(unlist(lapply(points, `[[`, "blocks"))))
  logs <- t(sapply(points, function(p) log(p$rates)[match(blocks, p$blocks)]))
  effects <- suppressWarnings(medpolish(logs, eps = 0, maxiter = 200, trace.iter = FALSE, na.rm = TRUE))$row
  best <- which.max(effects)

  verdicts <- character(length(points))
  violations <- vector("list", length(points))
  for (i in seq_along(points)) {
    p <- points[[i]]
    of <- p$of
    busy <- unlist(lapply(plan$points[[i]]$runs, `[[`, "machine_busy"))
    others <- median(field(of, "machine", "others"))
    figures <- list(
      limit = p$limit, variant = paste0("bounded-", p$limit), items = of[[1]]$items,
      runs = lapply(seq_along(of), function(j) list(trial = of[[j]]$index, block = of[[j]]$block, throughput = p$rates[j], p99_ns = p$p99[j])),
      throughput = center(p$rates), p99_ns = center(p$p99), in_flight = p$in_flight, little_deviation = p$in_flight / p$limit - 1,
      peak_descriptors = p$peak, peak_by_kind = p$kinds, baseline_descriptors = max(field(of, "descriptors", "baseline")),
      items_tried = sum(field(of, "items_done") + field(of, "items_failed")), items_failed = sum(field(of, "items_failed")),
      cpu_cores = mean((field(of, "resources", "user_cpu_ns") + field(of, "resources", "system_cpu_ns")) / field(of, "makespan_ns")),
      machine_busy = median(busy[busy > 0]), # of the trials in the plan, which the record does not hold
      machine_others = if (others > 0) others, stages = p$stages
    )
    verdicts[i] <- "not worse"
    if (i != best) {
      q <- points[[best]]
      shared <- intersect(p$blocks, q$blocks)
      d <- log(q$rates[match(shared, q$blocks)] / p$rates[match(shared, p$blocks)])
      judged <- conclude(d, design)
      verdicts[i] <- judged$verdict
      none <- list(estimate = 0, low = 0, high = 0, level = 0, achieved = 0, n = 0)
      r <- judged$interval
      p$share <- if (is.null(r)) none else list(estimate = exp(-r$estimate), low = exp(-r$high), high = exp(-r$low), level = r$level, achieved = r$achieved, n = r$n)
      p$reach <- exp(effects[i] - effects[best])
      figures$reach <- list(verdict = judged$verdict, share = p$share, blocks = length(d), estimate = p$reach)
      stopifnot(judged$verdict != "inconclusive" || length(d) == 0) # else a number of further blocks, which is not recomputed
      violations[[i]] <- switch(judged$verdict,
        "worse" = sprintf("throughput at most %s of the highest, less than %s", share(p$share$high), share(reach)),
        "inconclusive" = sprintf("throughput about %s of the highest, compared in only %d blocks", share(p$reach), length(d)))
    }
    points[[i]]$share <- p$share
    expect(sprintf("points[%d]", i - 1), figures)
  }
  # A limit suffices if it and all between it and the best one do.
  suffices <- sapply(seq_along(points), function(i) all(verdicts[i:best] == "not worse"))
  for (i in which(!suffices)) {
    if (is.null(violations[[i]])) violations[[i]] <- sprintf("a limit between it and %d does not reach %s of the highest", limits[best], share(reach))
    expect(sprintf("points[%d].violations", i - 1), list(list(term = "throughput", detail = violations[[i]])))
  }
  stopifnot(sapply(points, `[[`, "peak") <= terms$max_descriptors) # more would be a violation, which is not recomputed

  # --- The adaptive strategy ---
  adaptive <- Filter(function(t) !is.null(t$slot_limit), trials)
  expect("adaptive.runs", lapply(adaptive, function(t) list(trial = t$index, last_limit = t$slot_limit$last,
    settled_limit = t$slot_limit$settled, throughput = t$items_done / (t$makespan_ns / 1e9))))

  # --- The model ---
  n <- unlist(lapply(points, function(p) rep(p$limit, length(p$rates))))
  x <- unlist(lapply(points, `[[`, "rates"))
  p <- usl(n, x, from = list(g = log(x[1]), a = log(0.01), b = log(1e-5)))
  expect("model.residuals", Map(function(n, x) list(limit = n, log = log(x / law(p, n))), n, x), abs = 1e-6)
  estimates <- exp(p[c("g", "a", "b")])
  names(estimates) <- c("gamma", "alpha", "beta")
  # The interval is of a bootstrap of the repetitions at each limit. R draws others than the program, so
  # that both vary: an end of 999 draws has a standard error of 8.5 % of the standard deviation.
  set.seed(2017)
  draws <- exp(replicate(1999, {
    means <- sapply(points, function(q) mean(log(sample(q$rates, replace = TRUE))))
    usl(limits, exp(means), lengths(lapply(points, `[[`, "rates")), as.list(p))
  }))
  for (i in seq_along(estimates)) {
    prefix <- paste0("model.", names(estimates)[i])
    expect(prefix, list(estimate = estimates[[i]]), rel = 1e-5)
    expect(prefix, list(level = 0.95, achieved = 0.95, n = length(x)))
    ends <- quantile(draws[c("g", "a", "b")[i], ], c(0.025, 0.975), type = 6)
    expect(prefix, list(low = ends[[1]], high = ends[[2]]), rel = 0, abs = 0.35 * sd(draws[c("g", "a", "b")[i], ]))
  }
  off <- sapply(points, function(q) exp(mean(log(q$rates))) / law(p, q$limit) - 1)
  expect("model.worst", off[which.max(abs(off))], rel = 1e-4); expect("model.worst_at", limits[which.max(abs(off))])

  # --- The simulation ---
  stages <- lapply(points, function(p) {
    made <- min(1, p$limit / p$of[[1]]$items)
    list(fetch = typical(lapply(p$bars$fetch, table_of)), write = typical(lapply(p$bars$write, table_of)),
      connect = typical(lapply(p$bars$pool_wait, table_of, from = 1 - made)), checkout = typical(lapply(p$bars$pool_wait, table_of, to = 1 - made)))
  })
  for (i in seq_along(points)) {
    q <- points[[i]]
    makespan <- field(q$of, "makespan_ns")
    p99 <- median(field(q$of, "stages", "item", "p99_ns"))
    path <- sprintf("simulation.validated.checks[%d]", which(sapply(plan$simulation$validated$checks, `[[`, "variant") == paste0("bounded-", q$limit)) - 1)
    expect(path, list(variant = paste0("bounded-", q$limit), items = q$of[[1]]$items, trials = length(q$of), makespan_ns = trunc(median(makespan)),
      min_ns = min(makespan), max_ns = max(makespan), p99_ns = trunc(p99)))
    if (i %in% c(1, length(points))) expect(path, list(extrapolated = TRUE))
    # R draws other times than the program: both are medians of 15 simulations.
    simulated <- apply(replicate(15, simulate(q$of[[1]]$items, q$limit, stages[[i]])), 1, median)
    expect(path, list(in_sample = list(makespan = simulated[1] / median(makespan) - 1)), rel = 0, abs = 0.01)
    expect(path, list(in_sample = list(p99 = simulated[2] / p99 - 1)), rel = 0, abs = 0.03)
  }
  checks <- plan$simulation$validated$checks # the largest of the errors that the plan has
  largest <- function(of, kind) list(makespan = max(sapply(of, function(c) abs(c[[kind]]$makespan))), p99 = max(sapply(of, function(c) abs(c[[kind]]$p99))))
  outer <- sapply(checks, function(c) isTRUE(c$extrapolated))
  expect("simulation.validated", list(worst_in_sample = largest(checks, "in_sample"), worst_left_out = largest(checks[!outer], "left_out"),
    worst_extrapolated = largest(checks[outer], "left_out")))
  items <- sapply(points, function(p) p$of[[1]]$items)
  expect("simulation.range", list(min_limit = limits[1], max_limit = max(limits), min_items = min(items), max_items = max(items),
    fetch_p50_ns = half_up(quantile_of(stages[[1]]$fetch, 0.5)), fetch_p99_ns = half_up(quantile_of(stages[[1]]$fetch, 0.99)),
    write_p50_ns = half_up(quantile_of(stages[[1]]$write, 0.5)), strategies = list("bounded")))

  # --- The recommendation ---
  chosen <- which(suffices)[1]
  p <- points[[chosen]]
  up_to <- max(which(suffices))
  last <- length(points)
  passed <- any(sapply(points[seq_along(points) > best], function(q) {
    shared <- intersect(q$blocks, points[[best]]$blocks)
    beyond(log(points[[best]]$rates[match(shared, points[[best]]$blocks)] / q$rates[match(shared, q$blocks)]), 0) > 0
  }))
  open <- max(p$peak, max(field(p$of, "descriptors", "baseline")) + 2 * p$limit + 2) # both kinds of connections, and two of the driver's own
  # The stage that grew most from the lowest limit to the highest, by half at least.
  before <- sapply(list("fetch", c("handoff", "pool_wait", "write")), function(s) sum(points[[1]]$means[s]))
  now <- sapply(list("fetch", c("handoff", "pool_wait", "write")), function(s) sum(points[[last]]$means[s]))
  grown <- which.max(ifelse(now >= 1.5 * before, now - before, 0))
  others <- median(field(points[[last]]$of, "machine", "others"))
  stopifnot(now[grown] >= 1.5 * before[grown], others > 0.15, plan$points[[last]]$machine_busy >= 0.95) # else another sentence, which is not recomputed
  detail <- sprintf("a %s took %s in the mean at %d, %s at %d; at %d other programs used %s of the machine's cores", c("fetch", "write")[grown],
    short(now[grown]), limits[last], short(before[grown]), limits[1], limits[last], share(others))
  # Erlang's formula of waiting for c slots with an offered load of a, by the Poisson distribution.
  service <- p$means[["item"]] / 1e9
  waiting <- lapply(c(0.5, 0.8, 0.95), function(load) {
    a <- load * p$limit
    lost <- dpois(p$limit, a) / ppois(p$limit, a)
    waits <- lost / (1 - load * (1 - lost))
    list(load = load, rate = a / service, waits = waits, mean_wait_ns = local({ mean <- 1e9 * waits * service / (p$limit - a); function(got) abs(got - mean) <= 0.51 }))
  })
  expect("recommendation", list(limit = p$limit, up_to = limits[up_to], peak_limit = limits[best], passed_peak = passed,
    share_of_peak = if (chosen == best) 1 else p$share$estimate, free_descriptors = terms$max_descriptors - p$peak,
    bottleneck = list(resource = c("upstream", "database")[grown], detail = detail),
    config = list(MaxConnsPerHost = p$limit, maxPoolSize = p$limit, may_be_open = open, ulimit_n = 64 * ceiling((floor(open / 0.7) + 1) / 64))))
  expect("recommendation.waiting", waiting, rel = 1e-7, abs = 1e-9) # the mean time is known to a nanosecond
  expect("noise", of_machine(record))
  # It passes unless throughput still rises at the highest limit that could be tested.
  inconclusive <- chosen == last && !passed
  expect("decision", if (inconclusive) "inconclusive" else "passed"); expect("exit_code", if (inconclusive) 3 else 0)
}
