-- What the tokens on the volume say of every owner's quotas. {quotas: {'<owner>:<quota>': limit}}
local before = {}
local flat = redis.call('HGETALL', 'cj:quotas')
for place = 1, #flat, 2 do
  before[flat[place]] = flat[place + 1]
end
local changed = {}
for name, limit in pairs(ask.quotas) do
  if before[name] ~= whole(limit) then
    redis.call('HSET', 'cj:quotas', name, whole(limit))
    changed[name] = true
  end
  before[name] = nil
end
for name in pairs(before) do
  redis.call('HDEL', 'cj:quotas', name)
  changed[name] = true
end
for name in pairs(changed) do
  local owner = string.match(name, '^(.*):running$')
  if owner then
    settle_owner(owner)
  end
end
return 1
