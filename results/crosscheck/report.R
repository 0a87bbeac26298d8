# Recomputes every figure of `floodgate report RUN --format json` from the run's record.
recompute_report <- function(record, ...) {
  h <- record$header
  trials <- record$trials
  confidence <- 0.95
  variants <- vapply(h$scenario$variants, `[[`, "", "name")
  reference <- variants[vapply(h$scenario$variants, `[[`, "", "strategy") == "sequential"][1]
  items <- unlist(h$scenario$levels[[1]]$items)
  stopifnot(length(h$scenario$thresholds) == 0, length(h$scenario$levels) == 1, names(h$scenario$levels[[1]]) == "items")
  levels <- paste0("items=", items)
  blocks <- h$scenario$blocks
  ok <- function(t) t$outcome == "ok"
  stopifnot(vapply(trials, ok, TRUE), field(trials, "items_failed") == 0) # others do not form pairs, which is not recomputed

  cell <- function(variant, level) {
    found <- Filter(function(t) t$variant == variant && t$level_name == level, trials)
    found[order(field(found, "block"))]
  }
  ratios <- function(variant, reference, level) {
    of <- cell(variant, level); base <- cell(reference, level)
    shared <- intersect(field(of, "block"), field(base, "block"))
    log(field(of, "makespan_ns")[match(shared, field(of, "block"))] / field(base, "makespan_ns")[match(shared, field(base, "block"))])
  }
  documents <- function(of) {
    keys <- c("expected", "found", "lost", "duplicate", "corrupt", "foreign", "unwritten")
    setNames(lapply(keys, function(k) sum(field(of, "documents", k))), keys)
  }
  violations <- function(d) d$lost + d$duplicate + d$corrupt + d$foreign
  reduction <- function(x) {
    r <- exponential(signed_rank(x, confidence))
    list(estimate = 1 - r$estimate, low = 1 - r$high, high = 1 - r$low)
  }
  decision <- function(side, negative, positive) if (side < 0) negative else if (side > 0) positive else "inconclusive"
  bound <- function(of, limit) if (is.null(of$by)) limit else of$by

  # --- The head ---
  expect("run", h$id); expect("scenario", h$scenario_name); expect("title", h$scenario$title)
  expect("scenario_hash", h$scenario_hash); expect("seed", h$seed)
  expect("environment", h$environment); expect("fingerprint", h$fingerprint)
  expect("confidence", confidence)
  expect("planned", length(variants) * length(levels) * blocks)
  expect("recorded", length(trials)); expect("complete", record$complete)
  expect("outcomes", as.list(table(vapply(trials, `[[`, "", "outcome"))))

  # --- The table ---
  expect("table.reference", reference)
  row <- 0
  for (level in levels) for (variant in variants) {
    of <- cell(variant, level)
    bars <- merge_bars(lapply(of, function(t) hdr(t$stages$item$hdr)))
    figures <- list(
      variant = variant, level = level, planned = blocks, ok = length(of),
      makespan_ns = half_up(median(field(of, "makespan_ns"))),
      efficiency = median(field(of, "ideal_ns") / field(of, "makespan_ns")),
      item_p50_ns = percentile(bars, 0.5), item_p99_ns = percentile(bars, 0.99),
      peak_descriptors = max(vapply(of, highest, 0)), predicted_descriptors = max(field(of, "descriptors", "predicted")),
      cpu_ns = half_up(median(field(of, "resources", "user_cpu_ns") + field(of, "resources", "system_cpu_ns"))),
      peak_rss_bytes = half_up(median(field(of, "resources", "peak_rss_bytes"))),
      documents = documents(of), checked = sum(!vapply(of, function(t) is.null(t$documents), TRUE))
    )
    if (variant != reference) figures$reduction <- c(reduction(ratios(variant, reference, level)), pairs = length(of))
    for (omitted in c("leaked_descriptors", "repeated_requests")) { # zero is omitted
      n <- if (omitted == "leaked_descriptors") max(field(of, "descriptors", "leaked")) else sum(field(of, "upstream", "repeated"))
      if (n > 0) figures[[omitted]] <- n
    }
    expect(sprintf("table.rows[%d]", row), figures)
    row <- row + 1
  }

  # --- The claims ---
  judge <- list(
    reduction = function(c) {
      out <- list()
      for (variant in c$of) for (level in levels) {
        x <- ratios(variant, c$reference, level)
        limit <- as.numeric(sub("%", "", c$at_least)) / 100
        r <- reduction(x)
        out[[length(out) + 1]] <- list(kind = "reduction", variant = variant, reference = c$reference, level = level,
          decision = decision(beyond(x, log(1 - limit), confidence), "proved", "refuted"),
          value = r$estimate, low = r$low, high = r$high, limit = limit, n = length(x))
      }
      out
    },
    growth = function(c) {
      out <- list()
      steps <- c(list(range(seq_along(levels))), if (length(levels) > 2) lapply(seq_along(levels)[-1], function(i) c(i - 1, i)))
      for (variant in c$of) for (step in steps) {
        from <- ratios(variant, c$reference, levels[step[1]]); to <- ratios(variant, c$reference, levels[step[2]])
        gain <- from - to
        r <- exponential(signed_rank(gain, confidence))
        e <- list(kind = "growth", variant = variant, reference = c$reference, from_level = levels[step[1]], to_level = levels[step[2]],
          value = r$estimate, low = r$low, high = r$high, limit = 1,
          from = 1 - exp(hodges_lehmann(from)), to = 1 - exp(hodges_lehmann(to)), n = length(gain))
        if (identical(step, steps[[1]])) e$decision <- decision(beyond(gain, 0, confidence), "refuted", "proved")
        out[[length(out) + 1]] <- e
      }
      out
    },
    descriptors = function(c) {
      out <- list()
      for (variant in c$within) for (level in levels) {
        of <- cell(variant, level)
        peaks <- vapply(of, highest, 0); predicted <- field(of, "descriptors", "predicted")
        out[[length(out) + 1]] <- list(kind = "peak", variant = variant, level = level,
          decision = if (any(peaks > predicted)) "refuted" else "proved", value = max(peaks), limit = min(predicted), n = length(of))
      }
      for (variant in c$grows) {
        peaks <- lapply(levels, function(l) vapply(cell(variant, l), highest, 0))
        medians <- vapply(peaks, median, 0)
        first <- peaks[[1]]; last <- peaks[[length(peaks)]]
        higher <- sum(last > first); n <- length(first)
        # In all blocks, by the sign test: binom.test has p = 2/2^n.
        significant <- binom.test(higher, n)$p.value <= 1 - confidence
        out[[length(out) + 1]] <- list(kind = "peak-growth", variant = variant, from_level = levels[1], to_level = levels[length(levels)],
          decision = if (higher == 0) "refuted" else if (higher == n && significant && !is.unsorted(medians)) "proved" else "inconclusive",
          value = higher, limit = n, from = medians[1], to = medians[length(medians)], n = n)
      }
      out
    },
    documents = function(c) {
      out <- list()
      for (variant in if (is.null(c$of)) variants else c$of) for (level in levels) {
        of <- cell(variant, level); d <- documents(of)
        out[[length(out) + 1]] <- list(kind = "documents", variant = variant, level = level,
          decision = if (violations(d) > 0) "refuted" else if (d$unwritten == 0 && d$expected > 0) "proved" else "inconclusive",
          value = violations(d), limit = 0, n = length(of), documents = d)
      }
      out
    }
  )
  verdicts <- character()
  intervals <- numeric(); errors <- numeric() # of each claim: those that decide, and the chance that one errs
  for (i in seq_along(h$scenario$claims)) {
    claim <- h$scenario$claims[[i]]
    kind <- intersect(names(claim), names(judge))
    stopifnot(length(kind) == 1)
    evidence <- judge[[kind]](claim[[kind]])
    decisions <- unlist(lapply(evidence, `[[`, "decision"))
    decided <- if ("refuted" %in% decisions) "refuted" else if (all(decisions == "proved")) "proved" else "inconclusive"
    expect(sprintf("claims[%d]", i - 1), list(id = claim$id, statement = claim$statement, kind = kind, decision = decided,
      expected = claim$expect, as_expected = decided == claim$expect, evidence = evidence))
    n <- sum(vapply(evidence, function(e) !is.null(e$low) && !is.null(e$decision), TRUE))
    intervals <- c(intervals, n)
    # A claim fails if one point does; one that is expected to be refuted, if all do.
    errors <- c(errors, (1 - confidence) / 2 * if (claim$expect == "refuted") min(n, 1) else n)
    verdicts <- c(verdicts, if (decided == claim$expect) "passed" else if (decided == "inconclusive") "inconclusive" else "failed")
  }

  # The union bound of a false failure.
  expect("chance", list(judged = length(intervals), untested = sum(intervals == 0), intervals = sum(intervals), level = confidence, bound = min(1, sum(errors))))

  # --- Noise ---
  # How much slower each block was: the median over the cells of the trial's makespan
  # divided by the cell's median.
  effects <- sapply(seq_len(blocks) - 1, function(b) median(unlist(lapply(levels, function(l) lapply(variants, function(v) {
    of <- cell(v, l)
    logs <- log(field(of, "makespan_ns"))
    logs[field(of, "block") == b] - median(logs)
  })))))
  alarms <- 0.01 # the chance of any false finding
  pairs <- unlist(lapply(levels, function(l) lapply(setdiff(variants, reference), function(v) ratios(v, reference, l))), recursive = FALSE)
  stopifnot( # a drift would be a finding, which is not recomputed
    !drifts(effects, alarms / 2, 0.05),
    !vapply(pairs, drifts, TRUE, level = alarms / 2 / length(pairs), bound = 0.01)
  )
  expect("noise", list(blocks = length(effects), watched = sum(!vapply(trials, function(t) is.null(t$machine), TRUE)), findings = of_machine(record)))

  # --- The verdict ---
  overall <- if ("failed" %in% verdicts) "failed" else if ("inconclusive" %in% verdicts || !record$complete) "inconclusive" else "passed"
  expect("decision", overall)
  expect("exit", c(passed = 0, failed = 1, inconclusive = 3)[[overall]])
}
