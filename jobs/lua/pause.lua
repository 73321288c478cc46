-- Ask for a pause: at once where the job waits, as a durable flag where it runs. {id}
local state = get('state')
if state == 'queued' then
  move('paused', 'pause_requested', '')
elseif state == 'running' and get('pause_requested') ~= '1' and get('cancel_requested') ~= '1' then
  redis.call('HSET', job, 'pause_requested', '1', 'updated_at', whole(now))
  emit(now, get('attempt'), cjson.encode({ type = 'pause_requested' }))
  redis.call('PUBLISH', 'cj:wake:' .. ask.id, 'pause')
end
return record()
