-- A request under way keeps its key; one that has made something keeps it for longer anyway.
-- {key, holder, lease_ms}
local entry = 'cj:key:' .. ask.key
if holds(ask.key, ask.holder) then
  redis.call('PEXPIRE', entry, whole(ask.lease_ms))
end
return 1
