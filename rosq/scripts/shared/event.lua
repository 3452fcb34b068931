-- Write an event into the capped stream, in the same script as the change that it tells of.
local function record(events, max_events, name, ...)
  redis.call('XADD', events, 'MAXLEN', '~', max_events, '*', 'event', name, ...)
end
