-- @include forget

-- Forget the oldest finished jobs that are too many or too old, at most a hundred a call. Their hashes can't be
-- declared: last, and under pcall. The job that this very call has finished stays, and whatever counts as later than it:
-- who lost the answer and asks again must find that job. The next trim or the sweep takes it. It need not be the newest
-- one, since the clock may have been set back. Needs the constant REMEMBER_MS.
local function trim_finished(events, finished, keep, keep_ms, finished_id, now_ms)
  local too_many = redis.call('ZCARD', finished) - keep
  local excess = math.min(math.max(too_many, redis.call('ZCOUNT', finished, '-inf', now_ms - keep_ms)), 100)
  if excess <= 0 then
    return
  end
  local ids, hashes, prefix = redis.call('ZRANGE', finished, 0, excess - 1), {}, string.sub(events, 1, -7) .. 'job:'
  for i, job_id in ipairs(ids) do
    if job_id == finished_id then
      break
    end
    hashes[i] = prefix .. job_id
  end
  if hashes[1] then
    forget_finished(finished, ids, hashes, REMEMBER_MS)
  end
end
