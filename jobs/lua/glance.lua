-- What is to be shown of jobs at this moment: the time, the workers that were heard of lately where a job waits,
-- and of each job its record and why it waits. {ids}
local found, waits = {}, false
for place, id in ipairs(ask.ids) do
  job = 'cj:job:' .. id
  local entry = { record() }
  if get('state') == 'queued' then
    waits = true
    local class, owner = get('worker_class') or '', get('owner') or ''
    entry[2] = redis.call('ZRANK', 'cj:order', id)
    entry[3] = redis.call('HKEYS', 'cj:needs:' .. id)
    entry[4] = redis.call('HGET', 'cj:classes', class)
    entry[5] = redis.call('ZSCORE', of_owner(owner, 'held', class), id) and 1 or 0
  end
  found[place] = entry
end
local workers = {}
if waits then
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', 'cj:workers', '(' .. whole(now), '+inf')) do
    table.insert(workers, redis.call('GET', 'cj:worker:' .. name) or nil)
  end
end
return { whole(now), workers, found }
