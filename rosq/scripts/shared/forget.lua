-- What stays of a job that is forgotten or removed: a small hash, for a while, by which its id goes on counting as a
-- duplicate, and its fences go on growing.

-- Bytes of data that stay as they are: no longer than the digest would be.
local DIGEST_BYTES = 40
-- Bytes of data that one call digests at most, about: a few ms.
local MAX_DIGESTED = 1048576

-- The error with which the server refuses to make a key anew, or nil. In a slot that is moving to another node a script
-- that deleted a job's hash would end there, with nothing remembered: so it is asked for before anything is written.
-- No job's key ends with a blank, so this one never exists.
local function refuse_to_remake(hash)
  local found = redis.pcall('EXISTS', hash .. ' ')
  return type(found) == 'table' and found or nil
end

-- Leave the small hash in the place of a job's, which must be gone by now. remember_ms above 0
-- body: data and options, as rosq/store/codec.py packs them; nil where they are lost. What counts as content is the name and
-- the data: `digest` in rosq/store/codec.py makes the same of them.
local function remember(hash, remember_ms, fence, body)
  fence = fence or '0'
  local newline = body and string.find(body, '\n', 1, true)
  if body and not newline and #body <= DIGEST_BYTES then
    redis.call('HSET', hash, 'state', 'forgotten', 'fence', fence, 'data', body)
  elseif body then
    local name = ''
    if newline then
      local is_read, options = pcall(cjson.decode, string.sub(body, 1, newline - 1))
      name = is_read and type(options) == 'table' and options.name or ''
      body = string.sub(body, newline + 1)
    end
    redis.call('HSET', hash, 'state', 'forgotten', 'fence', fence, 'digest', redis.sha1hex(name .. '\n' .. body))
  else
    redis.call('HSET', hash, 'state', 'forgotten', 'fence', fence)
  end
  redis.call('PEXPIRE', hash, remember_ms)
end

-- Forget finished jobs that are on a list of such: those that are finished in the way of that list. Whatever else it
-- names by some damage, a job that waits or a key that isn't a hash, stays as it is and only leaves the list.
-- hashes: of the ids, in their order; ids may go on. Returns how many were dealt with, from the first one on; or an
-- error, and nothing was.
local function forget_finished(finished, ids, hashes, remember_ms)
  local refusal = remember_ms > 0 and refuse_to_remake(hashes[1])
  if refusal then
    return refusal
  end
  local way = string.match(finished, '[^:]*$')
  local digested, done, over, found = 0, {}, {}, {}
  for i, hash in ipairs(hashes) do
    if digested > MAX_DIGESTED then
      break
    end
    done[i] = ids[i]
    if remember_ms == 0 then
      if redis.pcall('HGET', hash, 'state') == way then
        over[#over + 1] = hash
      end
    else
      local job = redis.pcall('HMGET', hash, 'state', 'fence', 'data')
      if job[1] == way then
        digested = digested + #(job[3] or '')
        over[#over + 1], found[#found + 1] = hash, job
      end
    end
  end
  if over[1] then
    redis.call('DEL', unpack(over))
  end
  for i, job in ipairs(found) do
    remember(over[i], remember_ms, job[2], job[3])
  end
  redis.call('ZREM', finished, unpack(done))
  return #done
end
