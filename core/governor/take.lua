-- Everything that is asked of the windows of one app at one moment, in order, as one step.
--
-- KEYS     the epoch, then for each window its word, then for each window its log.
-- ARGV[1]  MessagePack, one behind the other: the epoch as the caller knows it, and what it says (since, used); bound,
--          slack, grace, life and renewal, in microseconds; when the caller renewed these windows; for each window its
--          limit, its length and whether it is long; the asks.
-- Answers  the epoch as it is, alone in a list, where the caller knows another, else MessagePack: for each ask a list
--          of integers, and behind them the time if the caller's windows were renewed.
--
-- A log is one sorted set. The score of a call that has ended is its end; of one that is under way FLIGHT + its start;
-- of one that is booked BOOKED + its moment. So the set is ordered by who leaves first: the ended ones a window after
-- their end, those under way not before a window from now, the booked ones last. All times are microseconds of this
-- server's clock, and all answers are delays.
--
-- A key goes by itself `life` after its window's length. That is set when the first call comes into it, and again for
-- whoever writes there and did so last (`renewed`) longer ago than `renewal`: life is that, and the longest that can
-- pass until a call that was booked has ended.

local FLIGHT, BOOKED = 2251799813685248, 4503599627370496
local call, ceil, max, min = redis.call, math.ceil, math.max, math.min

local epoch, since, used, bound, slack, grace, life, renewal, renewed, widths, asks = cmsgpack.unpack(ARGV[1])
local time = call('TIME')
local now = time[1] * 1000000 + time[2]
local renews = now - renewed > renewal

local count = #KEYS / 2 - 0.5
local words = call('MGET', unpack(KEYS, 1, 1 + count))
if words[1] ~= epoch then return {words[1] or ''} end

local windows = {}
for i = 1, count do
  local limit = widths[3 * i - 2]
  local window = {
    calls = limit, limit = limit, length = widths[3 * i - 1], word = KEYS[1 + i], key = KEYS[1 + count + i], shut = 0,
  }
  windows[i] = window
  if widths[3 * i] then window.long, window.epoch = true, 0 end
  if words[1 + i] then
    window.shut, window.cap, window.cap_until, window.epoch = unpack(cmsgpack.unpack(words[1 + i]))
    if window.cap_until > now and window.cap < window.limit then window.limit = window.cap end
  end
  -- After a loss nobody knows what was used before, nor which calls were under way: a short window stays shut until
  -- the last of them can have left it, and a long one until its uses were read from elsewhere.
  if used and not window.long then window.shut = max(window.shut, since + bound + window.length) end
end

-- When everybody has written what was used of the long windows before the loss, and every call of then has ended.
local written = used and since + max(grace, bound) or 0

-- How long a window's word is of use, in milliseconds.
local function lifetime(window)
  return ceil(max(window.length + life, window.shut - now) / 1000)
end

local function renew(window)
  call('PEXPIRE', window.key, ceil((window.length + life) / 1000))
  if window.long then call('PEXPIRE', window.word, lifetime(window)) end
end

local function add(window, score, name)
  if call('ZADD', window.key, score, name) == 1 and not (window.filled or renews) then renew(window) end
end

-- How many calls a window has; where there are none its key is gone.
local function size(window)
  local found = call('ZCARD', window.key)
  window.filled = found > 0
  return found
end

local function drop(window, name)
  window.filled = false
  call('ZREM', window.key, name)
end

-- Away with what counts no more: calls that left, bookings nobody came for. A call nobody ended has ended at its bound.
local function tidy(window)
  if window.tidy then return end
  window.tidy, window.filled = true, false
  local dead = call('ZRANGEBYSCORE', window.key, FLIGHT, FLIGHT + now - bound, 'WITHSCORES')
  for i = 1, #dead, 2 do call('ZADD', window.key, dead[i + 1] - FLIGHT + bound, dead[i]) end
  call('ZREMRANGEBYSCORE', window.key, '-inf', now - window.length)
  call('ZREMRANGEBYSCORE', window.key, BOOKED, BOOKED + now - slack)
end

-- When a window that is full has room for so many, and whether that is certain.
local function room(window, units, name)
  tidy(window)
  local over = (name and call('ZRANK', window.key, name) or size(window)) + units - window.limit
  if over <= 0 then return now, true end
  local entry = call('ZRANGE', window.key, over - 1, over - 1, 'WITHSCORES')
  if not entry[1] then return max(window.cap_until or 0, now + window.length), false end
  local score = tonumber(entry[2])
  if score < FLIGHT then return score + window.length, true end
  if score < BOOKED then return now + window.length, false end
  -- One whose moment has passed may still come, and goes then.
  return max(score - BOOKED, now) + window.length, false
end

-- The first moment at which all windows have room for so many, whether that is certain, and which window says so;
-- `name` is booked already and keeps its place.
local function moment(indexes, units, name)
  local at, certain, culprit = now, true, 0
  for place, index in ipairs(indexes) do
    local window = windows[index]
    local free = window.shut
    if window.long and window.epoch ~= since then
      if written <= now then return nil, place - 1 end
      free = max(free, written)
    end
    if size(window) + units > window.limit then
      local left, sure = room(window, units, name)
      free, certain = max(free, left), certain and sure
    end
    if free > at then at, culprit = free, place - 1 end
  end
  return at, certain, culprit
end

-- A call goes now, or is booked for its moment under `later` (at most `ahead` from now), or is told when to ask again.
local function go(a)
  local indexes, name, later, ahead = a[2], a[3], a[4], a[5]
  local at, certain, culprit = moment(indexes, 1, name)
  if not at then return {-1, certain} end
  if at <= now then
    for _, index in ipairs(indexes) do add(windows[index], FLIGHT + now, name) end
    return {0, 0, 0}
  end
  for _, index in ipairs(indexes) do drop(windows[index], name) end
  if not later or not certain or at - now > ahead then
    return {at - now, max(at - now - math.floor(ahead / 2), 1000), culprit}
  end
  for _, index in ipairs(indexes) do add(windows[index], BOOKED + at, later) end
  return {at - now, 0, culprit}
end

-- Calls are booked together, for now or for their moment; one that is denied ends the turn of its group.
local ended = {}
local function book(a)
  local indexes, names, ahead, group = a[2], a[3], a[4], a[5]
  if ended[group] then return {-2, 0, 0} end
  local at, certain, culprit = moment(indexes, #names)
  if not at then return {-1, certain} end
  if at > now and (not certain or at - now > ahead) then
    ended[group] = true
    return {at - now, max(at - now - math.floor(ahead / 2), 1000), culprit}
  end
  for _, index in ipairs(indexes) do
    for _, name in ipairs(names) do add(windows[index], BOOKED + at, name) end
  end
  return {at - now, 0, culprit}
end

local function finish(a)
  for _, index in ipairs(a[2]) do add(windows[index], now, a[3]) end
  return {}
end

local function back(a)
  for _, index in ipairs(a[2]) do
    for _, name in ipairs(a[3]) do drop(windows[index], name) end
  end
  return {}
end

-- What has come in counts as ended, as far as there is room; then how the window stands.
local function tally(a)
  local window, name, wanted = windows[a[2][1]], a[3], a[4]
  if not window.tidy then call('ZREMRANGEBYSCORE', window.key, '-inf', now - window.length) end
  local at, certain = moment(a[2], 1)
  if not at then return {-1, certain} end
  local there = size(window)
  local fit = at <= now and min(wanted, window.limit - there) or 0
  if fit > 0 then
    local entries = {}
    for i = 1, fit do entries[2 * i - 1], entries[2 * i] = now, name .. i end
    call('ZADD', window.key, unpack(entries))
    if not (window.filled or renews) then renew(window) end
  end
  local used = there + fit
  return {fit, window.limit, used, 0, used < window.limit and max(at - now, 0) or max(moment(a[2], 1) - now, 0)}
end

-- What is asked seldom.
local function rarely()
  local function keep(window)
    local word = {window.shut, window.cap or 0, window.cap_until or 0, window.epoch or 0}
    call('SET', window.word, cmsgpack.pack(word), 'PX', lifetime(window))
  end

  -- How many calls of a window are not booked only.
  local function made(window)
    return call('ZCOUNT', window.key, '-inf', '(' .. string.format('%.0f', BOOKED))
  end

  local function shut(a)
    for _, index in ipairs(a[2]) do
      local window = windows[index]
      window.shut = max(window.shut, now + a[3])
      keep(window)
    end
    return {}
  end

  -- What the platform says remains counts, where it is less than we believe: others may use the same allowance.
  local function learn(a)
    local window, remaining, reset = windows[a[2][1]], a[3], a[4]
    if window.long and window.epoch ~= since then return {} end
    tidy(window)
    local cap = remaining + made(window)
    if cap >= window.calls and (window.cap_until or 0) <= now then return {} end
    window.cap, window.cap_until = cap, now + window.length
    if remaining == 0 and now + reset > window.shut then window.shut = now + reset end
    keep(window)
    return {}
  end

  local function look(a)
    local window = windows[a[2][1]]
    if window.long and window.epoch ~= since and written <= now then return {-1, 0} end
    tidy(window)
    local used = made(window)
    return {window.limit, used, size(window) - used, max(moment(a[2], 1) - now, 0)}
  end

  -- A log that a restart or a replica has kept is whole up to some moment: only what was used later is missing there.
  local function restore(a)
    local window, uses = windows[a[2][1]], a[3]
    if window.epoch == since then return {} end
    local last = call('ZREVRANGEBYSCORE', window.key, string.format('(%.0f', since), '-inf', 'WITHSCORES', 'LIMIT', 0, 1)
    for _, use in ipairs(uses) do
      if now - use[2] >= tonumber(last[2] or 0) then
        for unit = 1, use[3] do add(window, now - use[2], use[1] .. '/' .. unit) end
      end
    end
    window.epoch = since
    keep(window)
    return {}
  end

  return {shut = shut, learn = learn, look = look, restore = restore}
end

local does = {go = go, book = book, ended = finish, back = back, count = tally}
local answers = {}
for i, one in ipairs(asks) do answers[i] = (does[one[1]] or rarely()[one[1]])(one) end
if renews then
  for _, window in ipairs(windows) do renew(window) end
  answers[#answers + 1] = {now}
end
return cmsgpack.pack(answers)
