-- A log that was lost begins anew, as of the last use that may be missing in it; who comes second finds it begun.
--
-- KEYS[1]  the epoch: the server's identity, when the log began, and whether the windows were in use then.
-- ARGV     The server's identity, how long ago they were used last in microseconds (nothing where they were not),
--          whether to begin in any case, and whether a restart has kept all of it.

local now = redis.call('TIME')
local known = redis.call('GET', KEYS[1])
local server, rest = string.match(known or '', '^(%S+)( .*)$')
if ARGV[3] == '0' and server == ARGV[1] then return 0 end
if ARGV[3] == '0' and server and ARGV[4] == '1' then
  redis.call('SET', KEYS[1], ARGV[1] .. rest)
  return 1
end
local since = now[1] * 1000000 + now[2] - (tonumber(ARGV[2]) or 0)
redis.call('SET', KEYS[1], string.format('%s %.0f %d', ARGV[1], since, ARGV[2] == '' and 0 or 1))
return 1
