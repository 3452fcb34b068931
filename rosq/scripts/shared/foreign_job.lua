-- @include finish
-- @include aside

-- Fail a job whose key something else wrote: that is put aside, and the job stands in its place again, with the data that
-- its entry carried, if it did. What else was known of it is gone.
-- lane, entry_id: nil where it has no entry   failed: the set of failed jobs
local function fail_foreign_job(events, max_events, meta, failed, job, job_id, lane, entry_id, lane_name, data)
  local found = put_job_aside(events, max_events, job, job_id)
  local reason = 'Its key held a ' .. (found or 'hash') .. ' that something else wrote. That is put aside, under aside:…:job:'
    .. job_id .. '; look what it is, then put the job on the queue anew, with reopen.'
  finish(job, job_id, lane, entry_id, failed, 'failed', false, 'last_error', reason, 'error_class', '', 'lane', lane_name)
  if data then
    redis.call('HSET', job, 'data', data)
  end
  redis.call('HINCRBY', meta, 'failed_total', 1)
  record(events, max_events, 'failed', 'job_id', job_id, 'error', reason)
end
