-- Send a delivery once more, from the first attempt on. {webhook, id}; the hash, empty where there is none.
local of = 'cj:webhook:' .. ask.webhook
local key = of .. ':delivery:' .. ask.id
if redis.call('EXISTS', key) == 1 then
  redis.call('HSET', key, 'status', 'pending', 'attempts', '0', 'next_at', whole(now))
  redis.call('HDEL', key, 'holder')
  redis.call('ZADD', of .. ':due', whole(now), ask.id)
end
return redis.call('HGETALL', key)
