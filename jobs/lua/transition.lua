-- A guarded change of state. {id, from, attempt, to, reason, detail, fields, floor, expired}
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
-- A job that somebody asked to end is not queued again.
if ask.to == 'queued' and get('cancel_requested') == '1' then
  move('cancelled', 'cancel_requested', '')
else
  set(ask.fields)
  move(ask.to, ask.reason, ask.detail)
end
return record()
