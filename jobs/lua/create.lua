-- New queued jobs. {jobs, together, claim, made}, each of `jobs` {id, fields, deletions, token, claim, after,
-- class, requires}: of each {'made', when, number of its event}, or why there is none. `together`: all of
-- them or none, and then one answer for all, which are one owner's; `claim` is the key that then stands for
-- what was `made`.
-- Not where a data set was deleted since `deletions`, its last one then, or is being deleted.
-- Not where more of an owner's jobs would wait than may.
-- With a job's own `claim`, only where the request still has its key, which then stands for this job.

-- What speaks against it.
local function deleting(new)
  local dataset = 'cj:dataset:' .. new.fields.dataset
  if (redis.call('GET', dataset .. ':deletions') or '') ~= new.deletions
      or redis.call('EXISTS', dataset .. ':deleting') == 1 then
    return { 'deleting', new.fields.dataset }
  end
end

local function lost(claim)
  return claim and not holds(claim.key, claim.holder) and {}
end

local function make(new)
  ask, job, events, fresh = new, 'cj:job:' .. new.id, 'cj:events:' .. new.id, {}
  for _, time in ipairs({ 'created_at', 'updated_at', 'phase_at' }) do
    new.fields[time] = whole(now)
  end
  set(new.fields)
  if new.token then
    push(new.token)
  end
  list()
  if new.class then
    redis.call('HSET', 'cj:classes', new.class, new.requires)
  end
  hold(new.after or {})
  enter('queued')
  announce()
  return { 'made', whole(now), get('seq') }
end

local asked, answers = ask, {}
if asked.together then
  for _, new in ipairs(asked.jobs) do
    local refusal = deleting(new)
    if refusal then
      return refusal
    end
  end
  local refusal = too_many_wait(asked.jobs[1].fields.owner, #asked.jobs) or lost(asked.claim)
  if refusal then
    return refusal
  end
  if asked.claim then
    settle(asked.claim, asked.made)
  end
end
for _, new in ipairs(asked.jobs) do
  local refusal = not asked.together
    and (deleting(new) or too_many_wait(new.fields.owner, 1) or lost(new.claim))
  if not refusal and new.claim then
    settle(new.claim, new.id)
  end
  table.insert(answers, refusal or make(new))
end
return answers
