-- Prepended to every script of this folder. ARGV[1] is one JSON object of arguments.
-- Keys are built here from the job's id, so this needs one server, not a cluster.
local ask = cjson.decode(ARGV[1])
local job = 'cj:job:' .. (ask.id or '')
local events = 'cj:events:' .. (ask.id or '')

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)

-- Lua would write a large number as 1.7e+12.
local function whole(number)
  return string.format('%.0f', number)
end

-- All fields of a job that this script has just made, so that none need be asked for; nil of any other.
local fresh

local function get(field)
  if fresh then
    return fresh[field] or false -- As Redis has it of a field that is not there.
  end
  return redis.call('HGET', job, field)
end

-- Change fields of the job: one after the other with its value.
local function put(...)
  redis.call('HSET', job, ...)
  if fresh then
    local told = { ... }
    for place = 1, #told, 2 do
      fresh[told[place]] = told[place + 1]
    end
  end
end

-- `names` of the request are those of the losses and metrics among the fields: searches know them by these.
local function set(fields)
  local flat = {}
  for field, value in pairs(fields) do
    table.insert(flat, field)
    table.insert(flat, value)
  end
  if #flat > 0 then
    put(unpack(flat))
  end
  for group, names in pairs(ask.names or {}) do
    redis.call('SADD', 'cj:names:' .. group, unpack(names))
  end
end

-- The state guard: is the job in one of its attempts as the caller believes?
local function is(state, attempt)
  return get('state') == state and (get('attempt') or '0') == whole(attempt)
end

-- Counted for whoever watches the service from outside: jobs/totals.py reads it.
local function count(name, by)
  redis.call('HINCRBY', 'cj:totals', name, whole(by))
end

-- One more value of a histogram: the bucket that it falls into, and the sum of all.
local function observe(name, bounds, value)
  local bucket = 'inf'
  for _, bound in ipairs(bounds) do
    if value <= bound then
      bucket = whole(bound)
      break
    end
  end
  count(name .. ':' .. bucket, 1)
  count(name .. ':sum', value)
end

-- Queue a token as RQ does (jobs/queue.py).
local function push(token)
  redis.call('SADD', 'rq:queues', token.queue)
  redis.call('HSET', token.key, unpack(token.fields))
  redis.call('RPUSH', token.queue, token.id)
end

-- Append one durable event. Its sequence number is also its id in the stream. `floor` is
-- the last number on the volume: a server that lost its last second must not reuse one.
local function emit(time, attempt, data)
  local seq = math.max(tonumber(get('seq') or '0'), ask.floor or 0) + 1
  put('seq', whole(seq))
  redis.call('XADD', events, whole(seq) .. '-0', 'time', whole(time), 'attempt', attempt, 'data', data)
  redis.call('XADD', 'cj:feed', 'MAXLEN', '~', '10000', '*',
    'job', ask.id, 'seq', whole(seq), 'time', whole(time), 'attempt', attempt, 'data', data)
end

-- Tell of the state that the job has now: an event, a count, and, where anybody wants to be told by a webhook,
-- an entry of the outbox (jobs/webhooks/deliveries.py).
local function announce()
  local attempt = get('attempt') or '0'
  local data = cjson.encode({ type = get('state'), reason = get('reason'), detail = get('detail') or '' })
  emit(now, attempt, data)
  count('entered:' .. get('state') .. ':' .. get('reason'), 1)
  if redis.call('EXISTS', 'cj:webhooks') == 1 then
    redis.call('XADD', 'cj:outbox', '*', 'job', ask.id, 'seq', get('seq'), 'time', whole(now), 'attempt', attempt,
      'data', data)
  end
end

-- Book the time since the present phase began: queued, starting or training.
local function end_phase()
  local state = get('state')
  local phase = state == 'queued' and 'queued' or state == 'running' and get('reason')
  if phase then
    local spent = math.max(0, now - tonumber(get('phase_at')))
    redis.call('HINCRBY', job, phase .. '_ms', whole(spent))
    count('phase_ms:' .. phase, spent)
  end
  put('phase_at', whole(now), 'updated_at', whole(now))
end

-- Training unless the record says otherwise.
local function kind()
  return get('kind') or 'training'
end

-- The lists that a job is in whatever its state.
local function list()
  redis.call('ZADD', 'cj:jobs', 0, ask.id)
  redis.call('ZADD', 'cj:jobs:' .. kind(), 0, ask.id)
  for _, field in ipairs({'dataset', 'owner', 'recipe'}) do
    local value = get(field)
    if value then
      redis.call('ZADD', 'cj:by:' .. field .. ':' .. value, 0, ask.id)
    end
  end
  local start = get('resumed_from')
  for _, parent in ipairs({start and cjson.decode(start).job, get('forked_from')}) do
    if parent then
      redis.call('ZADD', 'cj:by:parent:' .. parent, 0, ask.id)
    end
  end
  for _, tag in ipairs(cjson.decode(get('tags') or '[]')) do
    redis.call('ZADD', 'cj:by:tag:' .. tag, 0, ask.id)
  end
end

-- Jobs that the same workers can take are of one class; most are of the class without a name.
local function of_class(name)
  local class = get('worker_class')
  return class and name .. ':' .. class or name
end

-- Something has changed about one of its owner's jobs.
local function keep_quota()
  local owner = get('owner')
  if quota_of(owner, 'running') then
    settle_owner(owner)
  end
end

-- A worker may take it: `waiting` by the time of its token, `ready` by its turn. Waiting for longer makes
-- up for a lower priority, so nothing starves; a job that was interrupted keeps its place.
local function make_ready()
  local reason = get('reason')
  if reason == 'resumed' or reason == 'retried' then
    put('turn_at', whole(now))
  end
  local turn = tonumber(get('turn_at') or get('created_at') or whole(now))
  local ahead = tonumber(get('ahead_ms') or '0')
  redis.call('ZADD', of_class('cj:waiting'), whole(now), ask.id)
  redis.call('ZADD', of_class('cj:ready'), whole(turn - ahead), ask.id)
  redis.call('ZADD', 'cj:order', whole(turn - ahead), ask.id)
  local owner = get('owner')
  if owner then
    redis.call('ZADD', of_owner(owner, 'ready', get('worker_class')), whole(turn - ahead), ask.id)
    keep_quota()
  end
end

-- Note that the job waits for the jobs in `after`, a list of {job, on}.
local function hold(after)
  for _, dep in ipairs(after) do
    redis.call('HSET', 'cj:needs:' .. ask.id, dep.job, dep.on)
    redis.call('SADD', 'cj:after:' .. dep.job, ask.id)
    local state = redis.call('HGET', 'cj:job:' .. dep.job, 'state')
    if state ~= 'queued' and state ~= 'running' and state ~= 'paused' then
      redis.call('SADD', 'cj:settled', dep.job)
    end
  end
end

local function enter(state)
  redis.call('ZADD', 'cj:jobs:' .. state, 0, ask.id)
  redis.call('ZADD', 'cj:jobs:' .. kind() .. ':' .. state, 0, ask.id)
  local owner = get('owner')
  if owner and state == 'queued' then
    redis.call('HDEL', 'cj:bytes', ask.id)
  end
  if owner and (state == 'queued' or state == 'paused' or state == 'running') then
    redis.call('SADD', of_owner(owner, state), ask.id)
  end
  if state == 'queued' then
    if ask.delay_ms and ask.delay_ms > 0 then
      put('not_before', whole(now + ask.delay_ms))
      redis.call('ZADD', 'cj:delayed', whole(now + ask.delay_ms), ask.id)
    elseif redis.call('EXISTS', 'cj:needs:' .. ask.id) == 0 then
      make_ready()
    end
    local patience = get('max_queue_ms')
    if patience and (get('reason') == 'submitted' or get('reason') == 'resumed' or get('reason') == 'retried') then
      redis.call('ZADD', 'cj:overdue', whole(now + tonumber(patience)), ask.id)
    end
    -- It may have been at its end before: somebody asked for another attempt.
    redis.call('HDEL', job, 'finished_at')
    redis.call('SADD', 'cj:dataset:' .. get('dataset') .. ':live', ask.id)
    redis.call('SREM', 'cj:unjournaled', ask.id)
  elseif state == 'running' then
    redis.call('ZADD', 'cj:leases', whole(now + ask.lease_ms), ask.id)
  elseif state ~= 'paused' then
    put('finished_at', whole(now))
    for _, dep in ipairs(redis.call('HKEYS', 'cj:needs:' .. ask.id)) do
      redis.call('SREM', 'cj:after:' .. dep, ask.id)
    end
    redis.call('DEL', 'cj:needs:' .. ask.id)
    redis.call('SREM', 'cj:dataset:' .. get('dataset') .. ':live', ask.id)
    redis.call('SADD', 'cj:unjournaled', ask.id)
    if redis.call('EXISTS', 'cj:after:' .. ask.id) == 1 then
      redis.call('SADD', 'cj:settled', ask.id)
    end
  end
end

local function leave(state)
  redis.call('ZREM', 'cj:jobs:' .. state, ask.id)
  redis.call('ZREM', 'cj:jobs:' .. kind() .. ':' .. state, ask.id)
  redis.call('ZREM', of_class('cj:waiting'), ask.id)
  redis.call('ZREM', of_class('cj:ready'), ask.id)
  redis.call('ZREM', 'cj:order', ask.id)
  redis.call('ZREM', 'cj:delayed', ask.id)
  redis.call('ZREM', 'cj:overdue', ask.id)
  redis.call('HDEL', job, 'not_before')
  redis.call('ZREM', 'cj:leases', ask.id)
  local owner = get('owner')
  if owner then
    redis.call('SREM', of_owner(owner, state), ask.id)
    redis.call('ZREM', of_owner(owner, 'ready', get('worker_class')), ask.id)
    redis.call('ZREM', of_owner(owner, 'held', get('worker_class')), ask.id)
  end
end

-- Change the state: record, indexes and event together. The caller has checked the guard.
local function move(state, reason, detail)
  end_phase()
  leave(get('state'))
  redis.call('HDEL', job, 'pause_requested')
  put('state', state, 'reason', reason, 'detail', detail)
  enter(state)
  keep_quota()
  announce()
end

local function record()
  return redis.call('HGETALL', job)
end

-- Whether a request still has its key, and has made nothing with it yet.
local function holds(key, holder)
  local entry = 'cj:key:' .. key
  return redis.call('HGET', entry, 'holder') == holder and redis.call('HEXISTS', entry, 'id') == 0
end

-- From now on the key of this claim stands for what was made.
local function settle(claim, id)
  local entry = 'cj:key:' .. claim.key
  redis.call('HSET', entry, 'request', claim.request, 'id', id, 'status', whole(claim.status))
  redis.call('PEXPIRE', entry, whole(claim.keep_ms))
end
