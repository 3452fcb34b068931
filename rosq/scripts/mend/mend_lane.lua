-- List a lane that has entries, or a job on its way to it: recovery and inspection go by the list.
-- KEYS[1..9], ARGV[1..7] see shared/mend_args; of a lane that was found by itself the job's id is '', and KEYS[7] no key
-- Returns 1 mended · 0 it isn't in that half-state any more: nothing written
-- Replay: answers 0.
-- Events repaired
-- @include mend_args
if kind ~= 'lane_not_listed' or lane_name == '' or redis.call('SISMEMBER', lanes, lane_name) == 1 then
  return 0
end
-- An empty one that is on no list lacks nothing.
if redis.call('EXISTS', lane) == 0 or redis.call('XLEN', lane) == 0 then
  if job_id == '' or not see_again() then
    return 0
  end
end
redis.call('SADD', lanes, lane_name)
tell('listed', 'lane', lane_name)
return 1
