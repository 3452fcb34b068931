-- Say what can't be read of the facts about a queue as a whole. Only reads.
-- KEYS[1] meta (HASH)   KEYS[2] workers (ZSET)
-- Returns { names of fields and what they hold, in pairs }, { names of workers and their scores, in pairs }
-- Replay: looks again.
-- @include unreadable_meta
return { list_unreadable_meta(KEYS[1]), list_unreadable_workers(KEYS[2]) }
