-- Put the hash of a job aside whose data are lost: nothing can run it. Its producer finds that the queue doesn't know the
-- job, as it finds one that was lost whole, and can put it back; that it had failed would be another thing.
-- KEYS[1..9], ARGV[1..7] see shared/mend_args   KEYS[10] its new name (HASH)
-- Returns 1 mended · 0 it isn't in that half-state any more, or the name is taken: nothing written
-- Replay: answers 0.
-- Events repaired
-- @include mend_args
local seen = see_again()
if not seen or kind ~= 'data_lost' or redis.call('RENAMENX', job, KEYS[10]) == 0 then
  return 0
end
redis.call('ZREM', delayed, job_id)
if seen.has_entry then
  retire_entry(lane, seen.entry_id)
end
tell('put aside', 'was', seen.state, 'as', KEYS[10])
return 1
