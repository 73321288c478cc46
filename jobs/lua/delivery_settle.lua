-- How one attempt at a delivery ended, from its holder. {webhook, id, holder, status, delay_ms, fields}
-- `status` delivered or failed: that was the last attempt; pending: the next one follows after delay_ms.
-- Since when the webhook has failed, in ms; 0 where it has just worked, -1 where the lease is another's.
local of = 'cj:webhook:' .. ask.webhook
local key = of .. ':delivery:' .. ask.id
if redis.call('HGET', key, 'holder') ~= ask.holder then
  return '-1'
end
redis.call('HDEL', key, 'holder')
redis.call('HINCRBY', key, 'attempts', 1)
redis.call('HSET', key, 'status', ask.status, 'attempted_at', whole(now))
for field, value in pairs(ask.fields) do
  redis.call('HSET', key, field, value)
end
if ask.status == 'pending' then
  redis.call('HSET', key, 'next_at', whole(now + ask.delay_ms))
  redis.call('ZADD', of .. ':due', whole(now + ask.delay_ms), ask.id)
else
  redis.call('HDEL', key, 'next_at')
  redis.call('ZREM', of .. ':due', ask.id)
end
count('delivery:' .. ask.status, 1)
if ask.status == 'delivered' then
  redis.call('HDEL', 'cj:webhooks:failing', ask.webhook)
  return '0'
end
redis.call('HSETNX', 'cj:webhooks:failing', ask.webhook, whole(now))
return redis.call('HGET', 'cj:webhooks:failing', ask.webhook)
