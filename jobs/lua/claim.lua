-- queued -> running: the next attempt. {id, worker, lease_ms, last_attempt, floor, token}
-- `token` is the job whose token was taken: the token of this one is the other's from now on.
-- `last_attempt` is the highest on the volume: a lost claim's folder must not be reused.
local own = redis.call('ZSCORE', of_class('cj:waiting'), ask.id)
if get('state') ~= 'queued' or not own then
  return {}
end
if ask.token and ask.token ~= ask.id and redis.call('ZSCORE', of_class('cj:waiting'), ask.token) then
  redis.call('ZADD', of_class('cj:waiting'), own, ask.token)
end
redis.call('HSET', job, 'attempt', whole(math.max(tonumber(get('attempt') or '0'), ask.last_attempt) + 1),
  'worker', ask.worker)
redis.call('HSETNX', job, 'started_at', whole(now))
observe('wait_ms', wait_bounds, math.max(0, now - tonumber(get('phase_at') or now)))
move('running', 'starting', '')
return record()
