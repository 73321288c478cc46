-- A queued job has waited as long as it was told to before its next attempt. {id}
-- Whether the caller is the one to give it a token.
local due = redis.call('ZSCORE', 'cj:delayed', ask.id)
if not due or tonumber(due) > now then
  return 0
end
redis.call('ZREM', 'cj:delayed', ask.id)
redis.call('HDEL', job, 'not_before')
make_ready()
return 1
