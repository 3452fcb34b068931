"""What the two floors share."""

from __future__ import annotations

STREAM, GROUP = "floor", "workers"
#: In place of an entry's id: there is nothing to acknowledge.
ANSWERED_NOTHING = ""
STEP = """
if ARGV[3] ~= '' then
  redis.call('XACK', KEYS[1], ARGV[1], ARGV[3])
  redis.call('XDEL', KEYS[1], ARGV[3])
end
local found = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', 1, 'STREAMS', KEYS[1], '>')
return found and found[1][2][1]
"""
#: The same where the next job lies in another stream than the last one.
STEP_ON = """
if ARGV[3] ~= '' then
  redis.call('XACK', KEYS[1], ARGV[1], ARGV[3])
  redis.call('XDEL', KEYS[1], ARGV[3])
end
local found = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', 1, 'STREAMS', KEYS[2], '>')
return found and found[1][2][1]
"""
