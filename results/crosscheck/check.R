# Rscript check.R FOLDER report|plan RECORD EXCEPTIONS JSON…
#
# recomputes the figures of a report or a plan from its record, and compares them with those
# in each JSON file. It prints the file's name and then a line for each difference.
arguments <- commandArgs(trailingOnly = TRUE)
for (file in c("figures.R", "report.R", "plan.R")) source(file.path(arguments[1], file))
record <- read_record(arguments[3])
exceptions <- read.delim(arguments[4], header = FALSE, comment.char = "#", col.names = c("kind", "path", "reason"))
exceptions <- exceptions[exceptions$kind == arguments[2], ]
files <- arguments[-(1:4)]
if (arguments[2] == "report") recompute_report(record) else recompute_plan(record, fromJSON(files[1], simplifyVector = FALSE), arguments[3])
for (file in files) {
  cat("file:", basename(file), "\n")
  compare(flatten(fromJSON(file, simplifyVector = FALSE)), exceptions)
}
