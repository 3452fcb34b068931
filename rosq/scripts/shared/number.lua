-- The whole number that a field of a job says; 0 where something else wrote it.
local function number_of(text)
  local number = tonumber(text or 0)
  return number and number >= 0 and number < 2 ^ 53 and math.floor(number) or 0
end
