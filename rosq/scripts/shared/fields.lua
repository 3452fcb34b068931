-- @include number
-- @include entry_id

-- Numbers and times that lie in Redis as text. Anybody may have written them, so what can't be read is nil: arithmetic
-- with it would end a script in its middle. rosq/store/fields.py reads by the same rules.
-- The last millisecond that a calendar has: the year 9999 ends with it.
local LAST_MS = 253402300799999

-- A time in ms, of a field.
local function to_ms(text)
  local number = to_whole(text)
  return number and number <= LAST_MS and number or nil
end

-- A time in ms, of a sorted set's score: anything before 1970 is the beginning of it.
local function score_to_ms(text)
  local number = tonumber(text)
  return number and number <= LAST_MS and math.max(number, 0) or nil
end
