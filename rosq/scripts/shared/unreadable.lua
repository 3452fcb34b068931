-- @include fields

-- Which fields of a job's hash hold something that no script of ours has written. Data aren't among them: whoever is
-- handed a job with such fails it.
local CHECKED = { 'attempts', 'crashes', 'fence', 'created_at_ms', 'started_at_ms', 'finished_at_ms', 'lease_until_ms',
  'cancel_asked_at_ms', 'progress_at_ms', 'entry_id', 'lane', 'worker', 'progress', 'history', 'log' }

local function is_json(text)
  return (pcall(cjson.decode, text))
end

local function is_name(text)
  return #text > 0 and #text <= 512 and not string.find(text, '[%c%s]')
end

local function are_lines(text, is_line)
  for line in string.gmatch(text, '[^\n]+') do
    if not is_line(line) then
      return false
    end
  end
  return true
end

local function is_of_history(line)
  local begins = string.sub(line, 1, 1)
  if begins == '[' then
    return string.match(line, '^%["%a",%d+,%-?%d+,%d+,%d+,%d+,"') and is_json(line)
  elseif begins == '"' then
    return is_json(line)
  end
  return to_whole(line)
end

local CHECKS = { attempts = to_whole, crashes = to_whole, fence = to_whole, entry_id = to_entry_id, lane = is_name,
  worker = is_name, progress = is_json }
function CHECKS.history(text)
  return are_lines(text, is_of_history)
end
function CHECKS.log(text)
  return are_lines(text, function(line)
    return to_ms(string.match(line, '^(%d+)'))
  end)
end

-- The names of such fields, and what they hold.
local function list_unreadable(job)
  local names, held = {}, {}
  local found = redis.call('HMGET', job, unpack(CHECKED))
  for i, name in ipairs(CHECKED) do
    if found[i] and not (CHECKS[name] or to_ms)(found[i]) then
      names[#names + 1], held[#held + 1] = name, found[i]
    end
  end
  return names, held
end
