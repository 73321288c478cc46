-- Note that what waits gets a new token, unless another process was first. {id, seen_ms, index}
-- Without `index` it is a job, which waits among those of its class.
local index = ask.index or of_class('cj:waiting')
local token = redis.call('ZSCORE', index, ask.id)
if not token or tonumber(token) ~= ask.seen_ms then
  return 0
end
redis.call('ZADD', index, whole(now), ask.id)
return 1
