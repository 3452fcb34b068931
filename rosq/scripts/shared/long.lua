-- Data above this many bytes lie in the lane's entry while the job waits: a longer value in the hash costs it the
-- compact encoding (hash-max-listpack-value, 64 by default) and nearly doubles the job.
local LONG = 64
