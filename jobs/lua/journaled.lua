-- An ended job's events are on the volume, up to number `seq`: its stream goes, unless it holds more.
-- Without `seq` nothing can be kept: there is no run directory. {id, seq}
local state = get('state')
local going = state == 'queued' or state == 'running' or state == 'paused'
if not state or not going and (not ask.seq or tonumber(get('seq') or '0') <= ask.seq) then
  redis.call('DEL', events)
  redis.call('SREM', 'cj:unjournaled', ask.id)
end
return 1
