-- @include time
-- @include finish

-- End a job by its holder, which was asked to stop, or says by itself that it is to be cancelled. As with any settle its
-- crashes are forgotten. ... further fields of the hash
local function finish_cancelled(job, job_id, lane, entry_id, cancelled, meta, by, reason, ...)
  finish(job, job_id, lane, entry_id, cancelled, 'cancelled', true, 'cancel_by', by, 'cancel_reason', reason, ...)
  redis.call('HINCRBY', meta, 'cancelled_total', 1)
end
