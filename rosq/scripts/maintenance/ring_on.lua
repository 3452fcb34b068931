-- Wake someone for whatever waits: the net for a token that was taken by a worker that died before it fetched, and for
-- those that a worker took that leaves, or that rang in vain while the queue was paused.
-- KEYS[1] delayed (ZSET)   KEYS[2] timer bell (LIST)   then pairs of lane (STREAM) and bell (LIST), a hundred at most
-- Returns 1. Replay: a bell that rings already isn't rung again.
-- @include ring
-- @include liveness
for i = 3, #KEYS, 2 do
  -- A lane of another type keeps no other one's bell from ringing; recovery tells of it.
  local is_read, is_waited_for = pcall(has_undelivered, KEYS[i])
  if is_read and is_waited_for then
    ring(KEYS[i + 1])
  end
end
if redis.call('EXISTS', KEYS[1]) == 1 then
  ring(KEYS[2])
end
return 1
