-- Wake someone for whatever waits: the net for a token that was taken by a worker that died before it fetched.
-- KEYS[1] delayed (ZSET)   KEYS[2] timer bell (LIST)   then pairs of lane (STREAM) and bell (LIST)
-- Returns 1. Replay: a bell that rings already isn't rung again.
-- @include ring_on
ring_on(KEYS[1], KEYS[2], 3)
return 1
