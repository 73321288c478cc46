-- What is to be sent to webhooks. {entry, deliveries: [{webhook, id, place, fields}], keep}
-- With `entry`, only where nobody else has taken that entry of the outbox yet. A delivery that is there
-- already is left alone. Whether this caller has taken it.
if ask.entry and redis.call('XDEL', 'cj:outbox', ask.entry) == 0 then
  return 0
end
for _, delivery in ipairs(ask.deliveries) do
  local of = 'cj:webhook:' .. delivery.webhook
  local key = of .. ':delivery:' .. delivery.id
  if redis.call('EXISTS', key) == 0 then
    for field, value in pairs(delivery.fields) do
      redis.call('HSET', key, field, value)
    end
    redis.call('HSET', key, 'status', 'pending', 'attempts', '0', 'place', delivery.place)
    redis.call('ZADD', of .. ':due', whole(now), delivery.id)
    redis.call('ZADD', of .. ':log', 0, delivery.place)
  end
  -- The log keeps the newest, and whatever is still to be sent.
  while redis.call('ZCARD', of .. ':log') > ask.keep do
    local oldest = redis.call('ZRANGE', of .. ':log', 0, 0)[1]
    local id = string.match(oldest, '/(.*)')
    if redis.call('ZSCORE', of .. ':due', id) then
      break
    end
    redis.call('ZREM', of .. ':log', oldest)
    redis.call('DEL', of .. ':delivery:' .. id)
  end
end
return 1
