-- A new queued job. {id, fields, deletions, claim, after, class, requires}
-- Or several, all of them or none: {jobs, claim, made}, each of `jobs` like that one.
-- Not where a data set was deleted since its deletions were counted, or is being deleted.
-- Not where more of an owner's jobs would wait than may; several are one owner's.
-- With `claim`, only where the request still has its key, which then stands for this job, or what was `made`.
local together = ask.jobs
for _, new in ipairs(together or { ask }) do
  local dataset = 'cj:dataset:' .. new.fields.dataset
  if (redis.call('GET', dataset .. ':deletions') or '') ~= new.deletions
      or redis.call('EXISTS', dataset .. ':deleting') == 1 then
    return { 'deleting', new.fields.dataset }
  end
end
local first = (together or { ask })[1]
local over = too_many_wait(first.fields.owner, together and #together or 1)
if over then
  return over
end
if ask.claim then
  if not holds(ask.claim.key, ask.claim.holder) then
    return {}
  end
  settle(ask.claim, ask.made or ask.id)
end
local made = {}
for _, new in ipairs(together or { ask }) do
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
return together and made or made[1]
