-- End a pause, or take back a request for one that has not come about yet. {id}
local state = get('state')
if state == 'paused' then
  move('queued', 'resumed', '')
elseif state == 'running' and get('pause_requested') == '1' then
  redis.call('HDEL', job, 'pause_requested')
  emit(now, get('attempt'), cjson.encode({ type = 'resume_requested' }))
end
return record()
