-- What every settling script gets besides.
-- KEYS[7] lane that the job was delivered from (STREAM)   the last of KEYS the job (HASH)
-- ARGV[5] job id   ARGV[6] fence of the delivery   ARGV[7] its token   ARGV[8] its entry's id
local job, lane = keys[#keys], keys[7]
local job_id, fence, token, entry_id = args[5], args[6], args[7], args[8]
-- For shared/fetch: the event of the settling and its own fields, and the finished jobs that are trimmed, and to what.
local told, details, finished, keep, keep_ms
