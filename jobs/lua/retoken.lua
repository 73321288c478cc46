-- Note that a queued job gets a new token, unless another process was first. {id, seen_ms}
local token = redis.call('ZSCORE', of_class('cj:waiting'), ask.id)
if not token or tonumber(token) ~= ask.seen_ms then
  return 0
end
redis.call('ZADD', of_class('cj:waiting'), whole(now), ask.id)
return 1
