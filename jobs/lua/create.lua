-- A new queued job. {id, fields, claim, after, class, requires}
-- With `claim`, only where the request still has its key, which then stands for this job.
if ask.claim then
  if not holds(ask.claim.key, ask.claim.holder) then
    return {}
  end
  settle(ask.claim, ask.id)
end
set(ask.fields)
redis.call('HSET', job, 'created_at', whole(now), 'updated_at', whole(now), 'phase_at', whole(now))
list()
if ask.class then
  redis.call('HSET', 'cj:classes', ask.class, ask.requires)
end
hold(ask.after or {})
enter('queued')
announce()
return record()
