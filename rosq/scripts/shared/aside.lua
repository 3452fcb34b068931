-- @include event
-- @include states

-- Give a job's key another name where something else wrote it, which is told by its type; nil where nothing did. The new
-- name, which says when that was, can't be declared; it lies in the slot of the queue. rosq/store/keys.py makes the same.
local function put_job_aside(events, max_events, job, job_id)
  local found = redis.call('TYPE', job).ok
  if found == 'none' or found == 'hash' and STATES[redis.call('HGET', job, 'state') or ''] then
    return nil
  end
  local name = string.sub(events, 1, -7) .. 'aside:' .. string.format('%.0f', now_ms) .. ':job:' .. job_id
  redis.call('RENAME', job, name)
  record(events, max_events, 'put_aside', 'key', job, 'as', name, 'type', found, 'by', '', 'reason',
    'a job was to be written there')
  return found
end
