-- A new queued job. {id, fields, deletions, claim, after, class, requires}
-- Not where its data set was deleted since its deletions were counted, or is being deleted.
-- Not where too many of its owner's jobs wait.
-- With `claim`, only where the request still has its key, which then stands for this job.
local dataset = 'cj:dataset:' .. ask.fields.dataset
if (redis.call('GET', dataset .. ':deletions') or '') ~= ask.deletions
    or redis.call('EXISTS', dataset .. ':deleting') == 1 then
  return { 'deleting' }
end
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
announce()
return record()
