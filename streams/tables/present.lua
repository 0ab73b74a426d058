-- Says that somebody is here, and who else is. Who has not said so for a while is forgotten, and begins anew when he returns.
--
-- KEYS[1] hash: token → "<begun> <seen> <about>", ms by the server's clock
-- ARGV    token, about, how long saying so counts (ms)

local key, token, limit = KEYS[1], ARGV[1], tonumber(ARGV[3])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local begun, newest, others = nil, 0, {}
local all = redis.call('HGETALL', key)
for i = 1, #all, 2 do
  local since, seen, about = string.match(all[i + 1], '^(%d+) (%d+) (.*)$')
  if not since or now - tonumber(seen) > limit then
    redis.call('HDEL', key, all[i])
  elseif all[i] == token then
    begun = tonumber(since)
  else
    others[#others + 1] = {all[i], since, about}
    newest = math.max(newest, tonumber(since))
  end
end
begun = begun or math.max(now, newest + 1) -- of two that come within a millisecond one is the first
redis.call('HSET', key, token, string.format('%.0f %.0f %s', begun, now, ARGV[2]))
return {begun, others}
