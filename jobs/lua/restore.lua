-- A record made anew from the volume, unless there is one. {id, state, fields, announce, claim, after, class, requires}
-- With `announce` the change is an event; otherwise the volume has all events. Whether it was made.
if redis.call('EXISTS', job) == 1 then
  return 0
end
set(ask.fields)
list()
redis.call('HSET', job, 'phase_at', whole(now), 'updated_at', whole(now))
if ask.class then
  redis.call('HSET', 'cj:classes', ask.class, ask.requires)
end
hold(ask.after or {})
enter(ask.state)
if ask.fields.finished_at then
  redis.call('HSET', job, 'finished_at', ask.fields.finished_at)
end
if ask.announce then
  announce()
elseif ask.state == 'paused' then
  redis.call('SADD', 'cj:dataset:' .. get('dataset') .. ':live', ask.id)
end
if ask.claim and redis.call('EXISTS', 'cj:key:' .. ask.claim.key) == 0 then
  settle(ask.claim, ask.id)
end
return 1
