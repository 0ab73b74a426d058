-- What has changed of a partition's totals since a sequence: record, chunks and names of new series, as of one instant.
-- Of many new series only the first are named, and the caller asks again: a script holds up the whole server.
--
-- KEYS[1…5] applied, changed, series, level, oldest; KEYS[6…] windows
-- ARGV      token, generation, sequence, number of series already known; names of the windows, in the order of their keys
--
-- Another generation: only the record is answered, the caller asks again with the keys of that generation. Another token, or a
-- sequence that has gone back: an owner has begun anew, perhaps from an older copy, so everything counts as changed.

local record = redis.call('HGETALL', KEYS[1])
local now = redis.call('HMGET', KEYS[1], 'token', 'seq', 'generation')
if now[3] ~= ARGV[2] then return {'GENERATION', record} end

local since, known, whole = tonumber(ARGV[3]), tonumber(ARGV[4]), 'CHANGES'
if now[1] ~= ARGV[1] or (tonumber(now[2] or '') or 0) < since then
  since, known, whole = -1, 0, 'WHOLE'
end

local tables = {l = KEYS[4], o = KEYS[5]}
for i = 6, #KEYS do tables['w:' .. ARGV[i - 1]] = KEYS[i] end

-- The changed fields by table; a field is what follows `l:`, `o:` or `w:<window>:`.
local fields = {}
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. since, '+inf')) do
  local name, field = string.match(member, '^(w:[^:]*):(.*)$')
  if not name then name, field = string.match(member, '^([lo]):(.*)$') end
  if name and tables[name] then
    fields[name] = fields[name] or {}
    table.insert(fields[name], field)
  end
end

local GROUP = 1000
local function values(key, names)
  local found = {}
  for i = 1, #names, GROUP do
    for _, value in ipairs(redis.call('HMGET', key, unpack(names, i, math.min(i + GROUP - 1, #names)))) do
      found[#found + 1] = value
    end
  end
  return found
end

local answer = {}
for name, names in pairs(fields) do
  answer[#answer + 1] = {name, names, values(tables[name], names)}
end
local NAMES = 4000
local ids, length = {}, redis.call('HLEN', KEYS[3])
for id = known, math.min(length, known + NAMES) - 1 do ids[#ids + 1] = string.format('%.0f', id) end
return {whole, record, answer, values(KEYS[3], ids), length}
