-- New queued jobs, all of them or none. {jobs, claim, made}; each of `jobs` is {id, fields, after, class, requires}
-- With `claim`, only where the request still has its key, which then stands for what was `made`.
if ask.claim then
  if not holds(ask.claim.key, ask.claim.holder) then
    return {}
  end
  settle(ask.claim, ask.made)
end
local made = {}
for _, new in ipairs(ask.jobs) do
  ask, job, events = new, 'cj:job:' .. new.id, 'cj:events:' .. new.id
  set(ask.fields)
  redis.call('HSET', job, 'created_at', whole(now), 'updated_at', whole(now), 'phase_at', whole(now))
  list()
  if ask.class then
    redis.call('HSET', 'cj:classes', ask.class, ask.requires)
  end
  hold(ask.after or {})
  enter('queued')
  announce()
  table.insert(made, record())
end
return made
