-- Put a job back that says it waits, runs or is delayed, and that nothing will ever start: into its lane, or, where its
-- due time is known, among the delayed ones. Fences go on; who had it last is told that it lost it.
-- KEYS[1..9], ARGV[1..7] see shared/mend_args   KEYS[10] bell of the lane (LIST)   KEYS[11] timer bell (LIST)
-- ARGV[8] mark that examine_jobs gave; only a lease that nobody renewed since is taken away
-- Constants KEEP_DELIVERIES
-- Returns 1 mended · 0 it isn't in that half-state any more: nothing written
-- Replay: answers 0.
-- Events repaired
-- @include mend_args
-- @include delay
-- @include lost
local bell, timer_bell = KEYS[10], KEYS[11]
local seen = see_again()
if not seen or (kind == 'lease_without_worker' and seen.mark ~= ARGV[8]) then
  return 0
end

redis.call('SADD', lanes, lane_name)
keep_created(job, seen.entry_id)
disown(job, 'lease_until_ms', 'entry_id')
if seen.has_entry then
  -- A dead entry that is still there must not be taken for the new one's.
  retire_entry(lane, seen.entry_id)
end
local crashes = seen.crashes
if seen.state == 'active' then
  -- Whoever had it never settled it.
  crashes = crashes + 1
  note_crash(job, crashes)
end
if kind == 'no_entry' and seen.due_ms and score_to_ms(seen.due_ms) then
  redis.call('HSET', job, 'data', seen.data, 'state', 'delayed', 'lane', lane_name)
  add_delayed(delayed, timer_bell, job_id, tonumber(seen.due_ms))
  tell('delayed', 'lane', lane_name, 'was', seen.state, 'crashes', crashes, 'due_at_ms', seen.due_ms)
  return 1
end
if seen.due_ms then
  redis.call('ZREM', delayed, job_id)
end
wait_again(job, job_id, lanes, lane_name, lane, bell, seen.data, 'lane', lane_name)
tell('put back', 'lane', lane_name, 'was', seen.state, 'crashes', crashes)
return 1
