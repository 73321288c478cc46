-- Take a key for a request that begins, or learn what it has made. {key, holder, lease_ms}
local entry = 'cj:key:' .. ask.key
if redis.call('HEXISTS', entry, 'id') == 1 then
  return redis.call('HMGET', entry, 'request', 'id', 'status')
elseif redis.call('EXISTS', entry) == 1 then
  return 'held'
end
redis.call('HSET', entry, 'holder', ask.holder)
redis.call('PEXPIRE', entry, whole(ask.lease_ms))
return 'taken'
