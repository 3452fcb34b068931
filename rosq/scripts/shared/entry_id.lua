-- The id of a stream's entry as XADD makes them, or nil: a hash may name anything, and the server ends a script that asks
-- for an entry by it.
local function to_entry_id(text)
  local ms, sequence = string.match(text or '', '^(%d+)%-(%d+)$')
  return ms and #ms <= 16 and #sequence <= 16 and text or nil
end
