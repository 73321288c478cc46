-- Change what people may: name, tags, priority. {id, believed, changes: [{field, value, said}], tags}
-- Only where the job was edited as often as one of `believed` says, if that is given. `said` is the change
-- as a member of the event's JSON; `tags` all of them, where they are to change.
if redis.call('EXISTS', job) == 0 then
  return {}
end
local edits = get('edits') or '0'
if ask.believed then
  local same = false
  for _, number in ipairs(ask.believed) do
    same = same or whole(number) == edits
  end
  if not same then
    return 'stale'
  end
end
local absent = { tags = '[]', ahead_ms = '0' }
local said = {}
for _, change in ipairs(ask.changes) do
  local before = get(change.field) or absent[change.field]
  if before ~= change.value then
    table.insert(said, change.said)
    redis.call('HSET', job, change.field, change.value)
    if change.field == 'tags' then
      for _, tag in ipairs(cjson.decode(before)) do
        redis.call('ZREM', 'cj:by:tag:' .. tag, ask.id)
      end
      for _, tag in ipairs(ask.tags) do
        redis.call('ZADD', 'cj:by:tag:' .. tag, 0, ask.id)
      end
    elseif change.field == 'ahead_ms' then
      local indexes = { of_class('cj:ready'), 'cj:order' }
      local owner = get('owner')
      if owner then
        table.insert(indexes, of_owner(owner, 'ready', get('worker_class')))
        table.insert(indexes, of_owner(owner, 'held', get('worker_class')))
      end
      for _, index in ipairs(indexes) do
        if redis.call('ZSCORE', index, ask.id) then
          redis.call('ZINCRBY', index, whole(tonumber(before) - tonumber(change.value)), ask.id)
        end
      end
      keep_quota()
    end
  end
end
if #said > 0 then
  redis.call('HSET', job, 'edits', whole(tonumber(edits) + 1), 'updated_at', whole(now))
  emit(now, get('attempt') or '0', '{"type":"edited",' .. table.concat(said, ',') .. '}')
  local state = get('state')
  if state ~= 'queued' and state ~= 'running' and state ~= 'paused' then
    redis.call('SADD', 'cj:unjournaled', ask.id)
  end
end
return record()
