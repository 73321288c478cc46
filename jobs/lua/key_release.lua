-- A request that has made nothing gives its key back. {key, holder}
if holds(ask.key, ask.holder) then
  redis.call('DEL', 'cj:key:' .. ask.key)
end
return 1
