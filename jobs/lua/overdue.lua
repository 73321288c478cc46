-- A job that waited for longer than its spec allows will not run. {id}
local due = redis.call('ZSCORE', 'cj:overdue', ask.id)
if get('state') ~= 'queued' or not due or tonumber(due) > now then
  return {}
end
move('failed', 'queue_limit', 'it waited for ' .. string.format('%g', tonumber(get('max_queue_ms')) / 1000)
  .. ' s (limits.max_queue_s) and no worker had taken it')
return record()
