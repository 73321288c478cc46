-- Ask for a job's end: at once where nobody runs it, as a durable flag where somebody does. {id, save, reason}
-- With `save` its trainer may save a checkpoint first; a later request without it is the stronger one.
-- `reason` is what the job is cancelled for, where nobody has asked before; else cancel_requested.
local state = get('state')
if state == 'queued' or state == 'paused' then
  move('cancelled', ask.reason or 'cancel_requested', '')
elseif state == 'running' and get('cancel_requested') ~= '1' then
  redis.call('HSET', job, 'cancel_requested', '1', 'updated_at', whole(now))
  if ask.reason then
    redis.call('HSET', job, 'cancel_reason', ask.reason)
  end
  if ask.save then
    redis.call('HSET', job, 'cancel_saves', '1')
  end
  emit(now, get('attempt'), cjson.encode({ type = 'cancel_requested' }))
  redis.call('PUBLISH', 'cj:wake:' .. ask.id, 'cancel')
elseif state == 'running' and not ask.save and redis.call('HDEL', job, 'cancel_saves') == 1 then
  redis.call('PUBLISH', 'cj:wake:' .. ask.id, 'cancel')
end
return record()
