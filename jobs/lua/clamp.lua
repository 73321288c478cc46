-- Where the clock went back, times lie further ahead than anybody can have set them: bring them within reach.
-- {furthest}: index to milliseconds from now.
for index, ms in pairs(ask.furthest) do
  local reach = whole(now + ms)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', index, '(' .. reach, '+inf')) do
    redis.call('ZADD', index, reach, id)
  end
end
return 1
