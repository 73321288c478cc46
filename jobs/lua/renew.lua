-- Extend the lease of one's own attempt, and learn what it must do. {id, attempt, lease_ms}
if not is('running', ask.attempt) then
  return 'lost'
end
redis.call('ZADD', 'cj:leases', whole(now + ask.lease_ms), ask.id)
if get('cancel_requested') == '1' then
  return get('cancel_saves') == '1' and 'cancel_saving' or 'cancel'
end
return get('pause_requested') == '1' and 'pause' or 'held'
