-- A new queued job. {id, fields, claim, after, class, requires}
-- Not where too many of its owner's wait. With `claim`, only where the request still has its key, which then stands for this job.
local over = too_many_wait(ask.fields.owner)
if over then
  return over
end
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
emit(now, '0', cjson.encode({ type = 'queued', reason = get('reason'), detail = '' }))
return record()
