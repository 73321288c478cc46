-- The records of these jobs, one flat list each; an empty one for a job that is gone. {ids}
local found = {}
for place, id in ipairs(ask.ids) do
  found[place] = redis.call('HGETALL', 'cj:job:' .. id)
end
return found
