-- A job that another one waited for has come to its end. {id, dep}
-- Whether the waiting one needs a token now.
local needs = 'cj:needs:' .. ask.id
local ended = redis.call('HGET', 'cj:job:' .. ask.dep, 'state')
if ended == 'queued' or ended == 'running' or ended == 'paused' then
  -- Somebody retried it meanwhile: it settles again at its next end.
  redis.call('SREM', 'cj:settled', ask.dep)
  return 0
end
if not ended and redis.call('EXISTS', 'cj:rescanned') == 0 then
  -- Its record may be about to be made anew.
  return 0
end
local on = redis.call('HGET', needs, ask.dep)
redis.call('HDEL', needs, ask.dep)
redis.call('SREM', 'cj:after:' .. ask.dep, ask.id)
if redis.call('SCARD', 'cj:after:' .. ask.dep) == 0 then
  redis.call('SREM', 'cj:settled', ask.dep)
end
local state = get('state')
if not on or (state ~= 'queued' and state ~= 'paused') then
  return 0
end
if on == 'success' and ended ~= 'succeeded' then
  move('failed', 'dependency_failed', 'it was to run after ' .. ask.dep .. ' had succeeded, which '
    .. (ended and 'is ' .. ended or 'is gone'))
  return 0
end
if state == 'queued' and redis.call('HLEN', needs) == 0 and not get('not_before') then
  make_ready()
  return 1
end
return 0
