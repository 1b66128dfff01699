# One slope by R's mixsqp: maximise sum_x p_x log (K q)_x over the simplex. Called by tools.py:
#     Rscript mixsqp.R FOLDER n m slope
# reads FOLDER/source.bin and FOLDER/distortion.bin (float64, column by column), writes FOLDER/q.bin and
# FOLDER/seconds.txt: the seconds from the distortion in memory to q.
arguments <- commandArgs(trailingOnly = TRUE)
folder <- arguments[1]
n <- as.integer(arguments[2])
m <- as.integer(arguments[3])
slope <- as.numeric(arguments[4])
source <- readBin(file.path(folder, "source.bin"), "double", n)
distortion <- matrix(readBin(file.path(folder, "distortion.bin"), "double", n * m), n, m)
start <- proc.time()[["elapsed"]]
kernel <- exp(-slope * (distortion - apply(distortion, 1, min)))
fit <- mixsqp::mixsqp(kernel, w = source, control = list(verbose = FALSE))
seconds <- proc.time()[["elapsed"]] - start
writeBin(as.numeric(fit$x), file.path(folder, "q.bin"))
writeLines(sprintf("%.9f", seconds), file.path(folder, "seconds.txt"))
