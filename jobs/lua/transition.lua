-- A guarded change of state. {id, from, attempt, to, reason, detail, fields, floor, expired, delay_ms}
-- With `expired`, only where the lease has run out as well.
if not is(ask.from, ask.attempt) then
  return {}
end
if ask.expired then
  local lease = redis.call('ZSCORE', 'cj:leases', ask.id)
  if lease and tonumber(lease) > now then
    return {}
  end
end
-- Where the job has not come to its end, what somebody asked for last decides.
local goes_on = ask.to == 'queued' or ask.to == 'paused'
if goes_on and get('cancel_requested') == '1' then
  move('cancelled', get('cancel_reason') or 'cancel_requested', '')
  return record()
end
set(ask.fields)
if goes_on and get('pause_requested') == '1' then
  move('paused', 'pause_requested', ask.detail)
elseif ask.from == 'running' and ask.to == 'paused' then
  ask.delay_ms = 0
  move('queued', 'resumed', '')
else
  if ask.to == 'cancelled' then
    ask.reason = get('cancel_reason') or ask.reason
  end
  move(ask.to, ask.reason, ask.detail)
end
return record()
