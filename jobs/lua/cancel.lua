-- Ask for a job's end: at once where it waits, as a durable flag where it runs. {id}
local state = get('state')
if state == 'queued' then
  move('cancelled', 'cancel_requested', '')
elseif state == 'running' and get('cancel_requested') ~= '1' then
  redis.call('HSET', job, 'cancel_requested', '1', 'updated_at', whole(now))
  emit(now, get('attempt'), cjson.encode({ type = 'cancel_requested' }))
  redis.call('PUBLISH', 'cj:wake:' .. ask.id, 'cancel')
end
return record()
