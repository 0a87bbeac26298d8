# What both checks share: reading records and their histograms, the statistics, and
# the comparison of recomputed figures with those of the program. Nothing here or in
# the other files of R shares code with the program: the methods are R's own (wilcox.test,
# quantile, nls, medpolish, cor.test), or written from the publication that is named.
suppressPackageStartupMessages(library(jsonlite))

read_record <- function(file) {
  lines <- lapply(readLines(file), fromJSON, simplifyVector = FALSE)
  list(
    header = lines[[1]],
    trials = Filter(function(l) !is.null(l$outcome), lines[-1]),
    complete = any(vapply(lines[-1], function(l) isTRUE(l$complete), TRUE))
  )
}

# --- Figures -------------------------------------------------------------------------

figures <- new.env()

# expect states that the leaf at path has the value. Numbers may differ by abs plus
# the share rel: the program rounds to nine decimals. Text, lists and lists of lists
# have a path for each leaf, as in flatten.
expect <- function(path, value, rel = 1e-9, abs = 1e-9) {
  if (is.list(value) && length(value) > 0) {
    keys <- if (is.null(names(value))) sprintf("%s[%d]", path, seq_along(value) - 1) else paste0(path, ".", names(value))
    for (i in seq_along(value)) if (!is.null(value[[i]])) expect(keys[i], value[[i]], rel, abs)
    return(invisible())
  }
  figures[[sub("^\\.", "", path)]] <- list(value = if (is.list(value)) "[]" else value, rel = rel, abs = abs)
}

# flatten returns the leaves of parsed JSON, named by path: table.rows[0].variant. An
# empty list or object is a leaf, too.
flatten <- function(node, path = "") {
  if (!is.list(node)) return(setNames(list(node), sub("^\\.", "", path)))
  if (length(node) == 0) return(setNames(list("[]"), sub("^\\.", "", path)))
  keys <- if (is.null(names(node))) sprintf("%s[%d]", path, seq_along(node) - 1) else paste0(path, ".", names(node))
  unlist(Map(flatten, node, keys, USE.NAMES = FALSE), recursive = FALSE)
}

# same reports whether an expected figure and a leaf agree. A function judges the leaf itself.
same <- function(e, got) {
  if (is.function(e$value)) return(isTRUE(e$value(got)))
  if (is.numeric(e$value) != is.numeric(got)) return(FALSE)
  if (is.numeric(got)) return(abs(got - e$value) <= e$abs + e$rel * abs(e$value))
  identical(as.character(e$value), as.character(got))
}

# compare prints a line for each leaf that is wrong, missing or not recomputed, and a
# summary. Exceptions are regular expressions of paths, each with its reason; one that
# matches nothing is reported, so that the list stays as short as it can be.
compare <- function(leaves, exceptions) {
  excepted <- vapply(exceptions$path, function(p) grepl(paste0("^", p, "$"), names(leaves)), logical(length(leaves)))
  for (p in exceptions$path[colSums(excepted) == 0]) cat("unused exception:", p, "\n")
  named <- rowSums(excepted) > 0
  for (i in seq_along(leaves)) {
    path <- names(leaves)[i]
    e <- figures[[path]]
    if (is.null(e)) {
      if (!named[i]) cat("not recomputed:", path, "=", format(leaves[[i]]), "\n")
    } else if (named[i]) {
      cat("recomputed, but excepted:", path, "\n")
    } else if (!same(e, leaves[[i]])) {
      cat("wrong:", path, "=", format(leaves[[i]], digits = 12), "but R finds", if (is.function(e$value)) "otherwise" else format(e$value, digits = 12), "\n")
    }
  }
  for (path in sort(setdiff(ls(figures), names(leaves)))) cat("missing:", path, "\n")
  cat(sprintf("compared: %d figures, %d excepted\n", sum(!named), sum(named)))
}

# --- Statistics ----------------------------------------------------------------------

# signed_rank returns the Hodges-Lehmann estimate of the center of x with its exact
# interval; NULL means that there are too few values. wilcox.test is exact only
# without ties; with ties, the interval is of the Walsh averages by qsignrank (M. Hollander,
# D. A. Wolfe, E. Chicken, Nonparametric Statistical Methods, 2014, eq. 3.23 and 3.29).
signed_rank <- function(x, level) {
  n <- length(x)
  if (n == 0) return(NULL)
  k <- qsignrank((1 - level) / 2 * (1 + 1e-12), n)
  if (psignrank(k - 1, n) > (1 - level) / 2 * (1 + 1e-12) || k == 0) return(NULL)
  sums <- outer(x, x, "+") / 2
  walsh <- sort(sums[upper.tri(sums, diag = TRUE)])
  r <- list(estimate = median(walsh), low = walsh[k], high = walsh[length(walsh) + 1 - k], level = level, achieved = 1 - 2 * psignrank(k - 1, n), n = n)
  if (n < 50 && !anyDuplicated(abs(x)) && all(x != 0)) {
    w <- wilcox.test(x, conf.int = TRUE, conf.level = level, exact = TRUE)
    stopifnot(all.equal(c(r$estimate, r$low, r$high), c(w$estimate, w$conf.int), tolerance = 1e-12, check.attributes = FALSE))
  }
  r
}

exponential <- function(r) { r[c("estimate", "low", "high")] <- lapply(r[c("estimate", "low", "high")], exp); r }

hodges_lehmann <- function(x) { s <- outer(x, x, "+") / 2; median(s[upper.tri(s, diag = TRUE)]) }

# beyond returns -1 if the center of x is significantly below limit, +1 if it is
# above, and 0 otherwise, by the one-sided p-values of wilcox.test: the interval of
# the level lies on one side of the limit exactly if one of them is at most half of 1 - level.
beyond <- function(x, limit, level = 0.95) {
  p <- function(side) suppressWarnings(wilcox.test(x, mu = limit, alternative = side, exact = TRUE)$p.value)
  if (p("less") <= (1 - level) / 2) -1 else if (p("greater") <= (1 - level) / 2) +1 else 0
}

# trend returns the p-value of Kendall's test against the order of x, and slope the
# median of the slopes between all pairs (P. K. Sen, JASA 63, 1968).
trend <- function(x) suppressWarnings(cor.test(x, seq_along(x), method = "kendall", exact = TRUE)$p.value)
slope <- function(x) {
  pairs <- combn(seq_along(x), 2)
  median((x[pairs[2, ]] - x[pairs[1, ]]) / (pairs[2, ] - pairs[1, ]))
}

# drifts reports whether x changes by at least bound from its first value to its last.
drifts <- function(x, level, bound) {
  stopifnot(length(x) < 10) # from ten on, the program also tests for autocorrelation, with random permutations
  length(x) > 2 && trend(x) <= level && abs(expm1(slope(x) * (length(x) - 1))) >= bound
}

half_up <- function(x) floor(x + 0.5)

# --- Histograms ----------------------------------------------------------------------

# hdr decodes the V2 compressed encoding of an HdrHistogram (HdrHistogram/HdrHistogram on
# GitHub, AbstractHistogram.encodeIntoCompressedByteBuffer): zlib around a header of 40
# bytes and ZigZag LEB128 counts, in which a negative count is a number of zeros. It
# returns the lowest and the highest value of each bar, and its count.
hdr <- function(text) {
  bytes <- memDecompress(base64_dec(text)[-(1:8)], "gzip")
  b <- as.numeric(bytes)
  word <- function(at, size) sum(b[at + seq_len(size)] * 256^((size - 1):0))
  magnitude <- floor(log2(word(16, 8)))
  half <- 2^(ceiling(log2(2 * 10^word(12, 4))) - 1)
  index <- 0; at <- 41; out <- list()
  while (at <= length(b)) {
    n <- 0; shift <- 0
    repeat {
      n <- n + (b[at] %% 128) * 2^shift; shift <- shift + 7; at <- at + 1
      if (b[at - 1] < 128) break
    }
    if (n %% 2 == 1) { index <- index + (n + 1) / 2; next }
    if (n > 0) out[[length(out) + 1]] <- c(index, n / 2)
    index <- index + 1
  }
  m <- do.call(rbind, out)
  bars_of(m[, 1], m[, 2], half, magnitude)
}

# bars_of gives counts by index their values: the first bucket has 2·half values, and
# each further one half as many, twice as wide.
bars_of <- function(index, count, half, magnitude) {
  bucket <- pmax(index %/% half - 1, 0)
  sub <- ifelse(index < half, index, index %% half + half)
  size <- 2^(bucket + magnitude)
  data.frame(index = index, from = sub * size, to = sub * size + size - 1, middle = sub * size + floor(size / 2), count = count)
}

merge_bars <- function(all) {
  all <- do.call(rbind, all)
  sums <- aggregate(count ~ index, all, sum)
  out <- all[match(sums$index, all$index), ]
  out$count <- sums$count
  out[order(out$index), ]
}

# percentile is the value of nearest rank, as HdrHistogram defines it: R's quantile of type 3.
percentile <- function(bars, p) unname(quantile(rep(bars$to, bars$count), p, type = 3))

mean_of <- function(bars) sum(bars$middle * bars$count) / sum(bars$count)

# histogram lists the figures that a report shows of merged bars. The mean is truncated to a
# nanosecond after sums that differ in their last digits.
histogram <- function(bars) list(
  count = sum(bars$count), mean_ns = function(got) abs(got - mean_of(bars)) <= 1,
  p50_ns = percentile(bars, 0.5), p95_ns = percentile(bars, 0.95), p99_ns = percentile(bars, 0.99), max_ns = max(bars$to),
  hdr = function(text) { h <- hdr(text); nrow(h) == nrow(bars) && all(h$index == bars$index & h$count == bars$count) }
)

# --- Trials --------------------------------------------------------------------------

# highest is the peak of descriptors: that seen from outside, or the sum of the peaks
# counted inside, as sampling may miss a short one.
highest <- function(t) {
  i <- t$descriptors$inside
  max(t$descriptors$peak, if (is.null(i)) 0 else i$upstream + i$mongo + i$other)
}

field <- function(trials, ...) vapply(trials, function(t) as.numeric(Reduce(`[[`, list(...), t)), 0)

# of_machine returns the findings about load during trials.
of_machine <- function(record) {
  cores <- record$header$fingerprint$cores
  watched <- Filter(function(t) !is.null(t$machine), record$trials)
  span <- field(watched, "machine", "span_ns")
  lost <- c(field(watched, "machine", "stolen"), field(watched, "machine", "throttled_ns") / span / cores)
  stopifnot(all(lost <= 0.02)) # more would be a finding, which is not recomputed
  found <- list()
  advice <- "stop other programs, or pin the run to cores of its own"
  add <- function(...) found[[length(found) + 1]] <<- list(kind = "load", severity = "note", message = sprintf(...), advice = advice)
  first <- watched[[order(vapply(watched, `[[`, "", "started"))[1]]]
  if (first$machine$load_average > cores) add("the load average was %.1f on %d cores when the run began", first$machine$load_average, cores)
  others <- sum(field(watched, "machine", "others") * span) / sum(span)
  if (others > 0.15) add("other programs used %.0f %% of the CPU time in %d trials", 100 * others, length(watched))
  found
}
