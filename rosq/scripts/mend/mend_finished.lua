-- List a finished job among those of its kind, under the time at which it finished, so that it is forgotten when its time is over.
-- KEYS[1..9], ARGV[1..7] see shared/mend_args
-- Returns 1 mended · 0 it isn't in that half-state any more: nothing written
-- Replay: answers 0.
-- Events repaired
-- @include mend_args
local seen = see_again()
if not seen or kind ~= 'not_listed' then
  return 0
end
local at_ms = to_ms(seen.finished_at_ms) or now_ms
redis.call('ZADD', finished[seen.state], string.format('%.0f', at_ms), job_id)
tell('listed', 'was', seen.state)
return 1
