-- Take out of a job's hash what no script has written there. What stood there is told by the event, shortened.
-- KEYS[1..9], ARGV[1..7] see shared/mend_args   KEYS[10] the main lane (STREAM)   KEYS[11] its bell (LIST)
-- Returns 1 mended · 0 it isn't in that half-state any more: nothing written
-- Replay: answers 0.
-- Events repaired
-- @include mend_args
-- @include finish
local SHOWN_BYTES = 100
local seen = see_again()
if not seen or kind ~= 'unreadable_field' then
  return 0
end
local names, held = list_unreadable(job)
for i, name in ipairs(names) do
  if name == 'fence' then
    -- Greater than any that was given out before. Whoever has the job in hand is told that it lost it.
    redis.call('HSET', job, 'fence', now_us)
    disown(job)
  elseif name == 'finished_at_ms' and finished[seen.state] then
    redis.call('HSET', job, 'finished_at_ms', now_ms)
  elseif name == 'lane' and seen.has_entry and seen.data and not seen.has_lease then
    -- No worker can be told to read a lane of that name.
    keep_created(job, seen.entry_id)
    retire_entry(lane, seen.entry_id)
    redis.call('HDEL', job, 'lane')
    wait_again(job, job_id, lanes, MAIN_LANE, KEYS[10], KEYS[11], seen.data)
  elseif name == 'progress' then
    redis.call('HDEL', job, 'progress', 'progress_at_ms')
  else
    redis.call('HDEL', job, name)
  end
  held[i] = string.sub(held[i], 1, SHOWN_BYTES)
end
tell('fields removed', 'fields', table.concat(names, ' '), 'held', table.concat(held, ' | '))
return 1
