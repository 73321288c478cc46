-- failed -> queued: another attempt, because somebody asked for it. {id, attempt, detail, fields, after}
if not is('failed', ask.attempt) then
  return {}
end
local over = too_many_wait(get('owner'), 1)
if over then
  return over
end
if get('reason') == 'dependency_failed' then
  hold(ask.after)
end
redis.call('HDEL', job, 'cancel_requested', 'cancel_reason', 'cancel_saves', 'result')
set(ask.fields)
move('queued', 'retried', ask.detail)
return record()
