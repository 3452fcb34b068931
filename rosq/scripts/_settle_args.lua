-- What every settling script gets after that.
-- KEYS[8] job (HASH)   KEYS[9] lane that it was delivered from (STREAM)
-- ARGV[15] job id   ARGV[16] fence of the delivery   ARGV[17] its token   ARGV[18] its entry's id
local job, lane = KEYS[8], KEYS[9]
local job_id, fence, token, entry_id = ARGV[15], ARGV[16], ARGV[17], ARGV[18]
