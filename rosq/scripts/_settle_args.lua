-- What every settling script gets after that.
-- KEYS[7] job (HASH)   KEYS[8] lane that it was delivered from (STREAM)
-- ARGV[7] job id   ARGV[8] fence of the delivery   ARGV[9] its token   ARGV[10] its entry's id
local job, lane = keys[7], keys[8]
local job_id, fence, token, entry_id = args[7], args[8], args[9], args[10]
-- For _fetch: the event of the settling and its own fields, and the finished jobs that are trimmed, and to what.
local told, details, finished, keep, keep_ms
