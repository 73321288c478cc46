-- Extend the lease of one's own attempt. {id, attempt, lease_ms}
if not is('running', ask.attempt) then
  return 'lost'
end
redis.call('ZADD', 'cj:leases', whole(now + ask.lease_ms), ask.id)
return get('cancel_requested') == '1' and 'cancel' or 'held'
