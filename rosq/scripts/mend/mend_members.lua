-- Take a job out of the sorted sets in which it doesn't belong: it would be dropped when it is due, or, worse, be
-- forgotten as finished while it waits.
-- KEYS[1..9], ARGV[1..7] see shared/mend_args
-- Returns 1 mended · 0 it isn't in that half-state any more: nothing written
-- Replay: answers 0.
-- Events repaired
-- @include mend_args
local seen = see_again()
if not seen then
  return 0
end
if kind == 'stray_due_time' then
  redis.call('ZREM', delayed, job_id)
  tell('due time removed', 'was', seen.state or 'missing', 'due_at_ms', seen.due_ms)
elseif kind == 'stray_member' then
  for state, key in pairs(finished) do
    if seen.state ~= state then
      redis.call('ZREM', key, job_id)
    end
  end
  tell('taken off the list', 'was', seen.state or 'missing')
else
  return 0
end
return 1
