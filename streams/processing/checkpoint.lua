-- Moves everything that one owner holds, whole or not at all.
--
-- KEYS[1]  the hash with claim, token and the counter; it is written first and last
-- KEYS[2…] the keys of the operations, all in the slot of the first
-- ARGV     claim, token, counter, expected, then three lists, each led by the number of its elements:
--          guards (field, value), record (field, value) and operations, which reach to the end:
--          command, number of its key, number of its arguments, arguments
--
-- Redis does not roll back: all that can be wrong is looked for before the first write. The first write is an HSET, which
-- Redis refuses when it is full, read-only or cannot persist; after it has passed, it lets the others of this script pass too.

local GROUP = 1000 -- arguments of one command: `unpack` puts them on Lua's stack

-- The type of key that a command takes, and the size of the groups in which its arguments come (0: it takes none).
-- A ZFILL is a ZADD, and an HFILL an HSET, whose arguments are one, in MessagePack: thousands of small ones take longer to
-- send than to write.
local COMMANDS = {
  HSET = {'hash', 2}, HFILL = {'hash', 1}, HDEL = {'hash', 1}, HLEN = {'hash', 1},
  ZADD = {'zset', 2}, ZREM = {'zset', 1}, ZREMRANGEBYSCORE = {'zset', 1}, ZFILL = {'zset', 1},
  SADD = {'set', 1}, SREM = {'set', 1},
  XADD = {'stream', 1}, XTRIM = {'stream', 1},
  UNLINK = {nil, 0},
}

local claim, token, counter, expected = tonumber(ARGV[1]), ARGV[2], ARGV[3], tonumber(ARGV[4])
local record_key = KEYS[1]
local types = {}

local function type_of(key)
  if not types[key] then
    types[key] = redis.call('TYPE', key)['ok']
  end
  return types[key]
end

local function fits(count, size)
  if size == 0 then return count == 0 end
  return count and count >= size and count <= GROUP and count % size == 0
end

local function whole(text)
  return #text <= 16 and string.find(text, '^%-?%d+$') ~= nil
end

local function check_scores(from, to)
  for i = from, to, 2 do
    if not whole(ARGV[i]) then
      return 'score ' .. ARGV[i]
    end
  end
end

-- The last id of each stream that operations add to, as two numbers.
local last_ids = {}

local function last_id(key)
  if not last_ids[key] then
    local ms, n = '0', '0'
    if redis.call('EXISTS', key) == 1 then
      local info = redis.call('XINFO', 'STREAM', key)
      for i = 1, #info, 2 do
        if info[i] == 'last-generated-id' then
          ms, n = string.match(info[i + 1], '^(%d+)%-(%d+)$')
        end
      end
    end
    last_ids[key] = {tonumber(ms), tonumber(n)}
  end
  return last_ids[key]
end

local function check_entry(key, from, to)
  local ms, n = string.match(ARGV[from], '^(%d+)%-(%d+)$')
  if not ms or not whole(ms) or not whole(n) or to - from < 2 or (to - from) % 2 == 1 then
    return 'entry ' .. ARGV[from]
  end
  local last, id = last_id(key), {tonumber(ms), tonumber(n)}
  if id[1] < last[1] or (id[1] == last[1] and id[2] <= last[2]) then
    return 'entry ' .. ARGV[from] .. ' is not behind ' .. last[1] .. '-' .. last[2]
  end
  last_ids[key] = id
end

-- What a fill puts, by the place of its argument: scores and members, or fields and values, in turns.
local fills = {}

local function is_whole(score)
  return type(score) == 'number' and score % 1 == 0 and math.abs(score) < 1e16
end

local function is_text(field)
  return type(field) == 'string'
end

local function check_fill(is_first)
  return function(key, from, to)
    local read, items = pcall(cmsgpack.unpack, ARGV[from])
    if from ~= to or not read or type(items) ~= 'table' or not fits(#items, 2) then return 'fill' end
    for i = 1, #items, 2 do
      if not is_first(items[i]) or not is_text(items[i + 1]) then return 'fill' end
    end
    fills[from] = items
  end
end

local CHECKS = {
  ZFILL = check_fill(is_whole),
  HFILL = check_fill(is_text),
  ZADD = function(key, from, to) return check_scores(from, to) end,
  ZREMRANGEBYSCORE = function(key, from, to)
    if from ~= to or not whole(ARGV[from]) then return 'bound' end
  end,
  XADD = check_entry,
  XTRIM = function(key, from, to)
    if from ~= to or not whole(ARGV[from]) then return 'trim' end
  end,
  HLEN = function(key, from, to)
    local length = redis.call('HLEN', key)
    if from ~= to or tonumber(ARGV[from]) ~= length then return 'has ' .. length .. ' fields, not ' .. ARGV[from] end
  end,
}

-- What is wrong with one operation, or nil.
local function check(at)
  local command, key, count = COMMANDS[ARGV[at]], KEYS[tonumber(ARGV[at + 1])], tonumber(ARGV[at + 2])
  if not command then return 'unknown command at ' .. at end
  if not key or key == record_key then return 'no key for argument ' .. at end
  if not fits(count, command[2]) or at + 2 + count > #ARGV then return key .. ': wrong number of arguments' end
  local wanted, found = command[1], type_of(key)
  if wanted and found == 'none' then
    types[key] = wanted
  elseif wanted and found ~= wanted then
    return key .. ' is a ' .. found .. ', not a ' .. wanted
  end
  local further = CHECKS[ARGV[at]]
  local wrong = further and further(key, at + 3, at + 2 + count)
  return wrong and (key .. ': ' .. wrong)
end

local function check_all(at)
  while at <= #ARGV do
    local wrong = check(at)
    if wrong then return wrong end
    at = at + 3 + tonumber(ARGV[at + 2])
  end
end

local WRITES = {
  ZFILL = function(key, from) redis.call('ZADD', key, unpack(fills[from])) end,
  HFILL = function(key, from) redis.call('HSET', key, unpack(fills[from])) end,
  HLEN = function() end,
  UNLINK = function(key) redis.call('UNLINK', key) end,
  ZREMRANGEBYSCORE = function(key, from) redis.call('ZREMRANGEBYSCORE', key, '-inf', '(' .. ARGV[from]) end,
  XTRIM = function(key, from) redis.call('XTRIM', key, 'MINID', ARGV[from]) end,
}

local function write_all(at)
  while at <= #ARGV do
    local command, key, count = ARGV[at], KEYS[tonumber(ARGV[at + 1])], tonumber(ARGV[at + 2])
    local special = WRITES[command]
    if special then
      special(key, at + 3)
    else
      redis.call(command, key, unpack(ARGV, at + 3, at + 2 + count))
    end
    at = at + 3 + count
  end
end

-- 1. The fence: who may write.
if type_of(record_key) ~= 'hash' and type_of(record_key) ~= 'none' then
  return {'REFUSED', record_key .. ' is a ' .. type_of(record_key) .. ', not a hash'}
end
local stored = redis.call('HMGET', record_key, 'claim', 'token', counter)
if stored[2] ~= token then
  local theirs = tonumber(stored[1] or '0') or 0
  return {theirs >= claim and 'FENCED' or 'ROLLED_BACK', 'claim ' .. theirs .. ' is stored, mine is ' .. claim}
end

-- 2. The sequence: has it been written, may it be written. A trim has no sequence: repeating it changes nothing.
if counter ~= '' then
  local now = tonumber(stored[3] or '')
  if now == expected + 1 then return {'DUP', ''} end
  if now ~= expected then
    return {'ROLLED_BACK', counter .. ' ' .. (stored[3] or 'none') .. ' is stored, mine is ' .. expected}
  end
end
local guards = tonumber(ARGV[5])
for i = 6, 5 + guards, 2 do
  local value = redis.call('HGET', record_key, ARGV[i])
  if value ~= ARGV[i + 1] then
    return {'ROLLED_BACK', ARGV[i] .. ' ' .. (value or 'none') .. ' is stored, mine is ' .. ARGV[i + 1]}
  end
end

-- 3. Validation of everything.
local record = 6 + guards
local fields = tonumber(ARGV[record])
if not fields or fields % 2 ~= 0 or fields > GROUP or record + fields > #ARGV then
  return {'REFUSED', record_key .. ': wrong number of fields'}
end
local wrong = check_all(record + fields + 1)
if wrong then return {'REFUSED', wrong} end

-- 4. Writes.
local first = redis.pcall('HSET', record_key, 'token', token)
if type(first) == 'table' and first['err'] then return {'HELD', first['err']} end
write_all(record + fields + 1)
if fields > 0 then redis.call('HSET', record_key, unpack(ARGV, record + 1, record + fields)) end
if counter ~= '' then redis.call('HSET', record_key, counter, string.format('%.0f', expected + 1)) end
return {'OK', ''}
