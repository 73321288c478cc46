-- queued -> running: the next attempt. {id, worker, lease_ms, last_attempt, floor}
-- `last_attempt` is the highest on the volume: a lost claim's folder must not be reused.
if get('state') ~= 'queued' or get('not_before') then
  return {}
end
redis.call('HSET', job, 'attempt', whole(math.max(tonumber(get('attempt') or '0'), ask.last_attempt) + 1),
  'worker', ask.worker)
redis.call('HSETNX', job, 'started_at', whole(now))
move('running', 'starting', '')
return record()
