-- What the trainer reported, from whoever holds the attempt.
-- {id, attempt, events: [{time, attempt, data}], fields, training, floor, work, behind}
-- `behind`, {attempt, offset}: the place in the facts behind which these begin. Where the record is further on, a report
-- whose answer was lost is sent again: nothing changes.
-- `work`, for the totals: {samples, minibatches, saved_bytes, save_ms: [one a checkpoint]}.
if not is('running', ask.attempt) then
  return {}
end
if ask.behind then
  local attempt, offset = tonumber(get('facts_attempt') or '0'), tonumber(get('facts_offset') or '0')
  if attempt > ask.behind.attempt or (attempt == ask.behind.attempt and offset > ask.behind.offset) then
    return record()
  end
end
if ask.training and get('reason') == 'starting' then
  end_phase()
  redis.call('HSET', job, 'reason', 'training')
  redis.call('HSETNX', job, 'first_minibatch_at', whole(now))
end
set(ask.fields)
redis.call('HSET', job, 'updated_at', whole(now))
for _, event in ipairs(ask.events) do
  emit(event.time, whole(event.attempt), event.data)
end
if ask.fields.progress then
  local shown = redis.call('HMGET', job, 'progress', 'losses', 'metrics')
  redis.call('XADD', 'cj:progress', 'MAXLEN', '~', '1000', '*',
    'job', ask.id, 'progress', shown[1], 'losses', shown[2] or '{}', 'metrics', shown[3] or '{}')
end
if ask.work then
  count('samples', ask.work.samples)
  count('minibatches', ask.work.minibatches)
  count('saved_bytes', ask.work.saved_bytes)
  for _, ms in ipairs(ask.work.save_ms) do
    observe('save_ms', save_bounds, ms)
  end
end
return record()
