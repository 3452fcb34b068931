-- The deliveries of a job that are over, in field `history` of its hash. Written only when the next one would overwrite
-- what the hash says of the last: a completed job's last delivery is read from its other fields.
-- Lines, oldest first: how many were dropped, where some were; for each delivery a JSON array; behind it, where there is
-- one, the trace as a JSON string. The array: letter of the outcome (rosq/store/history.py has them), fence, when it began in
-- ms, counted from fence / 1000; how long it lasted in ms; how many deliveries in a row it stands for, of which it is
-- the last; how many ms before it the first of them began; worker; class and text of the error.
-- Needs the constant KEEP_DELIVERIES.
-- @include number
local HISTORY_MAX_BYTES = 16384
-- What says little for itself: a run of one kind is one line, and these lines go first. A long poll snoozes for days; it
-- mustn't push out what failed before.
local QUIET = { s = true, r = true, p = true }

-- The lines of a history as records, each the array's text and the trace's; and how many were dropped.
local function read_history(text)
  local records, dropped = {}, 0
  for line in string.gmatch(text, '[^\n]+') do
    local begins = string.sub(line, 1, 1)
    if begins == '[' then
      records[#records + 1] = { line }
    elseif begins == '"' and records[1] then
      records[#records][2] = line
    else
      dropped = tonumber(line) or dropped
    end
  end
  return records, dropped
end

-- Letter, when the delivery began in ms, its run's length, and when that began, of an array's text.
local function read_head(line)
  local letter, fence, begun, _, count, span = string.match(line, '^%["(%a)",(%d+),(%-?%d+),(%d+),(%d+),(%d+),')
  if not letter then
    return '', 0, 1, 0
  end
  local started_ms = math.floor(tonumber(fence) / 1000) + tonumber(begun)
  return letter, started_ms, tonumber(count), started_ms - tonumber(span)
end

-- The fields to be set with the end of a job's last delivery, for unpack: none, where it has none or nothing is kept.
-- told: class and text of its error, two JSON strings with a comma; trace: a JSON string; '' or nil where there is none
local function end_delivery(job, letter, ended_ms, told, trace)
  if KEEP_DELIVERIES == 0 then
    return {}
  end
  local found = redis.call('HMGET', job, 'fence', 'started_at_ms', 'worker', 'history')
  local fence, worker = (to_whole(found[1]) or 0), found[3]
  if not worker or not found[1] then
    return {}
  end
  -- A job's first delivery has no such time: its fence is that.
  local started_ms = found[2] and (to_whole(found[2]) or 0) or math.floor(fence / 1000)
  local records, dropped = read_history(found[4] or '')
  local count, first_ms = 1, started_ms
  if QUIET[letter] and records[1] then
    local last_letter, _, last_count, last_first_ms = read_head(records[#records][1])
    if last_letter == letter then
      records[#records] = nil
      count, first_ms = last_count + 1, last_first_ms
    end
  end
  local array = string.format('["%s",%.0f,%.0f,%.0f,%.0f,%.0f,', letter, fence,
    started_ms - math.floor(fence / 1000), math.max(ended_ms - started_ms, 0), count,
    math.max(started_ms - first_ms, 0)) .. cjson.encode(worker)
  records[#records + 1] = { array .. (told and told ~= '' and ',' .. told or '') .. ']', trace ~= '' and trace or nil }

  local bytes = 0
  for _, record in ipairs(records) do
    bytes = bytes + #record[1] + #(record[2] or '') + 2
  end
  local function drop()
    local index = 1
    for i = 1, #records - 1 do
      if QUIET[(read_head(records[i][1]))] then
        index = i
        break
      end
    end
    local record = table.remove(records, index)
    local _, _, dropped_count = read_head(record[1])
    dropped = dropped + dropped_count
    bytes = bytes - #record[1] - #(record[2] or '') - 2
  end
  while #records > KEEP_DELIVERIES do
    drop()
  end
  for i = 1, #records - 1 do
    if bytes > HISTORY_MAX_BYTES and records[i][2] then
      bytes = bytes - #records[i][2]
      records[i][2] = nil
    end
  end
  while bytes > HISTORY_MAX_BYTES and #records > 1 do
    drop()
  end

  local lines = {}
  if dropped > 0 then
    lines[1] = string.format('%.0f', dropped)
  end
  for _, record in ipairs(records) do
    lines[#lines + 1] = record[1]
    lines[#lines + 1] = record[2]
  end
  return { 'history', table.concat(lines, '\n') }
end
