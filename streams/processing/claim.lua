-- Takes what an owner holds, and reads it: from now on checkpoints with another token are refused.
--
-- KEYS[1] the hash with claim, token and the counters
-- ARGV    token, then two lists of (field, value), each led by the number of its elements: what must be stored if anything
--         is (the layout), and what a new hash begins with (the counters)

local key, token = KEYS[1], ARGV[1]
local found = redis.call('TYPE', key)['ok']
if found ~= 'hash' and found ~= 'none' then
  return {'REFUSED', key .. ' is a ' .. found .. ', not a hash'}
end

local required = tonumber(ARGV[2])
local initial = 3 + required -- where the second list's length stands
local fields = {'claim', '1', 'token', token}
if found == 'none' then
  for i = 3, 2 + required do fields[#fields + 1] = ARGV[i] end
  for i = initial + 1, #ARGV do fields[#fields + 1] = ARGV[i] end
else
  for i = 3, 2 + required, 2 do
    local stored = redis.call('HGET', key, ARGV[i])
    if stored ~= ARGV[i + 1] then
      return {'DIFFERS', ARGV[i], stored or 'nothing', ARGV[i + 1]}
    end
  end
  for i = initial + 1, #ARGV, 2 do
    if redis.call('HEXISTS', key, ARGV[i]) == 0 then return {'REFUSED', key .. ' has no ' .. ARGV[i]} end
  end
  local stored = redis.call('HMGET', key, 'claim', 'token')
  local claim = tonumber(stored[1] or '')
  if not claim then return {'REFUSED', key .. ' has no claim'} end
  -- The same token again: the answer to this very claim was lost.
  fields[2] = string.format('%.0f', stored[2] == token and claim or claim + 1)
end

local written = redis.pcall('HSET', key, unpack(fields))
if type(written) == 'table' and written['err'] then return {'HELD', written['err']} end
return {'OK', redis.call('HGETALL', key)}
