-- Note that what waits in an index gets a new token, unless another process was first.
-- {id, seen_ms, index}
local token = redis.call('ZSCORE', ask.index, ask.id)
if not token or tonumber(token) ~= ask.seen_ms then
  return 0
end
redis.call('ZADD', ask.index, whole(now), ask.id)
return 1
