-- Take up to `wanted` requests out of a token's bucket, which holds `limit` and fills within `window_ms`.
-- {token, limit, window_ms, wanted}. {taken, left, ms until there is one again}
local bucket = 'cj:rate:' .. ask.token
local micros = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local kept = redis.call('HMGET', bucket, 'left', 'at')
local left, at = tonumber(kept[1] or ask.limit), tonumber(kept[2] or micros)
left = math.min(ask.limit, left + math.max(0, micros - at) * ask.limit / (ask.window_ms * 1000))
local taken = math.min(ask.wanted, math.floor(left))
left = left - taken
redis.call('HSET', bucket, 'left', string.format('%.6f', left), 'at', whole(micros))
redis.call('PEXPIRE', bucket, whole(ask.window_ms))
local wait = taken == 0 and math.ceil((1 - left) * ask.window_ms / ask.limit) or 0
return { taken, math.floor(left), wait }
