-- What a request made, for the requests that repeat it. {claim: {key, holder, request, status, keep_ms}, made}
if not holds(ask.claim.key, ask.claim.holder) then
  return 0
end
settle(ask.claim, ask.made)
return 1
