-- A new queued job. {id, fields}
set(ask.fields)
redis.call('HSET', job, 'created_at', whole(now), 'updated_at', whole(now), 'phase_at', whole(now))
redis.call('ZADD', 'cj:jobs', 0, ask.id)
redis.call('ZADD', 'cj:jobs:' .. kind(), 0, ask.id)
redis.call('SADD', 'cj:dataset:' .. get('dataset') .. ':live', ask.id)
enter('queued')
emit(now, '0', cjson.encode({ type = 'queued', reason = get('reason'), detail = '' }))
return record()
