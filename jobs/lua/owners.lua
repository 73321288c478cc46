-- Prepended to every script, before common.lua: how many of an owner's jobs may wait and run.
-- `cj:quotas` has '<owner>:queued' and '<owner>:running' for those that have a limit.
-- Of an owner with a limit of running jobs never more wait in `cj:ready`, class by class, than it leaves
-- room for, those whose turn is first. The others are held: no worker looks at them, they need no token.

local function quota_of(owner, quota)
  return owner and tonumber(redis.call('HGET', 'cj:quotas', owner .. ':' .. quota) or '')
end

-- A key of an owner's: sets `queued`, `paused`, `running`; by their turn and class `ready` and `held`.
local function of_owner(owner, name, class)
  local key = 'cj:owner:' .. owner .. ':' .. name
  return class and class ~= '' and key .. ':' .. class or key
end

-- What is answered to who would have so many more of an owner's jobs wait; nil where they may.
local function too_many_wait(owner, more)
  local limit = quota_of(owner, 'queued')
  local waiting = limit and redis.call('SCARD', of_owner(owner, 'queued')) + redis.call('SCARD', of_owner(owner, 'paused'))
  if waiting and waiting + more > limit then
    return { 'over', tostring(waiting), tostring(limit) }
  end
end

-- Move the first or last of one list of an owner's class to the other, and out of or into the workers' sight.
local function release(owner, class)
  local best = redis.call('ZPOPMIN', of_owner(owner, 'held', class))
  local suffix = class ~= '' and ':' .. class or ''
  redis.call('ZADD', of_owner(owner, 'ready', class), best[2], best[1])
  redis.call('ZADD', 'cj:ready' .. suffix, best[2], best[1])
  redis.call('ZADD', 'cj:order', best[2], best[1])
  -- As if its token had been made long ago and lost: it needs a new one.
  redis.call('ZADD', 'cj:waiting' .. suffix, 0, best[1])
end

local function hold_back(owner, class)
  local worst = redis.call('ZPOPMAX', of_owner(owner, 'ready', class))
  local suffix = class ~= '' and ':' .. class or ''
  redis.call('ZADD', of_owner(owner, 'held', class), worst[2], worst[1])
  redis.call('ZREM', 'cj:ready' .. suffix, worst[1])
  redis.call('ZREM', 'cj:order', worst[1])
  redis.call('ZREM', 'cj:waiting' .. suffix, worst[1])
end

-- Bring what may be taken into line with the limit, after anything has changed about an owner's jobs.
local function settle_owner(owner)
  local limit = quota_of(owner, 'running')
  local room = limit and math.max(0, limit - redis.call('SCARD', of_owner(owner, 'running'))) or math.huge
  local classes = redis.call('HKEYS', 'cj:classes')
  table.insert(classes, '')
  for _, class in ipairs(classes) do
    local ready, held = of_owner(owner, 'ready', class), of_owner(owner, 'held', class)
    while redis.call('ZCARD', ready) < room and redis.call('ZCARD', held) > 0 do
      release(owner, class)
    end
    while redis.call('ZCARD', ready) > room do
      hold_back(owner, class)
    end
    -- A turn may have changed.
    while true do
      local last = redis.call('ZREVRANGE', ready, 0, 0, 'WITHSCORES')
      local first = redis.call('ZRANGE', held, 0, 0, 'WITHSCORES')
      if not last[1] or not first[1] or tonumber(first[2]) >= tonumber(last[2]) then
        break
      end
      hold_back(owner, class)
      release(owner, class)
    end
  end
end
