-- Puts rules in force, if those that they were made to follow still are.
--
-- KEYS[1] hash: version → document, and `version`, the newest
-- ARGV    version, document

local key, version = KEYS[1], ARGV[1]
local found = redis.call('TYPE', key)['ok']
if found ~= 'hash' and found ~= 'none' then
  return {'REFUSED', key .. ' is a ' .. found .. ', not a hash'}
end
local newest = redis.call('HGET', key, 'version')
if newest and tonumber(newest) >= tonumber(version) then
  -- The same again: the answer to this very writing was lost.
  local same = redis.call('HGET', key, version) == ARGV[2]
  return {same and 'OK' or 'OLDER', newest}
end
local written = redis.pcall('HSET', key, version, ARGV[2], 'version', version)
if type(written) == 'table' and written['err'] then return {'HELD', written['err']} end
return {'OK', version}
