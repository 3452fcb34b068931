-- A whole number from 0 on, below 2^53, of a field of a hash; nil where something else wrote it: arithmetic with that
-- would end a script in its middle.
local function to_whole(text)
  if not text or #text > 16 or not string.match(text, '^%d+$') then
    return nil
  end
  local number = tonumber(text)
  return number < 9007199254740992 and number or nil
end
