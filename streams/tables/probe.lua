-- Tries each command that a checkpoint writes with, on a key of its own, and answers the errors.
-- KEYS[1] a key that nothing else uses

local key, failures = KEYS[1], {}

local function try(...)
  local answer = redis.pcall(...)
  if type(answer) == 'table' and answer['err'] then
    failures[#failures + 1] = select(1, ...) .. ': ' .. answer['err']
    return false
  end
  return true
end

local steps = {
  {{'HSET', key, 'f', 'v'}, {'HMGET', key, 'f'}, {'HGET', key, 'f'}, {'HGETALL', key}, {'HLEN', key}, {'HDEL', key, 'g'}},
  {{'ZADD', key, '1', 'm'}, {'ZREM', key, 'n'}, {'ZREMRANGEBYSCORE', key, '-inf', '(1'}},
  {{'SADD', key, 'm'}, {'SREM', key, 'n'}},
  {{'XADD', key, '*', 'f', 'v'}, {'XINFO', 'STREAM', key}, {'XTRIM', key, 'MINID', '1'}},
}
for _, step in ipairs(steps) do
  for _, command in ipairs(step) do
    if not try(unpack(command)) then
      redis.pcall('UNLINK', key)
      return failures
    end
  end
  if not try('UNLINK', key) then return failures end
end
try('TYPE', key)
try('EXISTS', key)
try('TIME')
return failures
