-- failed -> queued: another attempt, because somebody asked for it. {id, attempt, detail, fields}
if not is('failed', ask.attempt) then
  return {}
end
redis.call('HDEL', job, 'cancel_requested', 'cancel_saves', 'result')
set(ask.fields)
move('queued', 'retried', ask.detail)
return record()
