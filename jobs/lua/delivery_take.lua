-- Deliveries of a webhook whose time has come, for whoever sends them before the lease has run out.
-- {webhook, holder, limit, lease_ms}; a list of hashes.
local of = 'cj:webhook:' .. ask.webhook
local taken = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', of .. ':due', '-inf', whole(now), 'LIMIT', 0, ask.limit)) do
  redis.call('ZADD', of .. ':due', whole(now + ask.lease_ms), id)
  redis.call('HSET', of .. ':delivery:' .. id, 'holder', ask.holder)
  taken[#taken + 1] = redis.call('HGETALL', of .. ':delivery:' .. id)
end
return taken
