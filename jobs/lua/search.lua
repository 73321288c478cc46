-- One stretch of a search: of the next `chunk` jobs in the lists `sources`, newest first unless `ascending`,
-- those that pass every test, `limit` at most. {sources, ascending, from, to, chunk, limit, tests, by,
-- descending, beyond, within}
-- Without `by`: where to go on ('' at the end), then ids. With `by` every job of the stretch is looked at, and
-- each id is followed by its value (nil where it has none); only those that come after `beyond` and before
-- `within`, two places {id, value} in the order of the values.

-- A figure that training reported: want.field of the record, want.name within it.
local function figure(key, want)
  local text = redis.call('HGET', key, want.field)
  if not text or not string.find(text, want.quoted, 1, true) then
    return nil
  end
  local found = cjson.decode(text)
  if not want.splits then
    return type(found[want.name]) == 'number' and found[want.name] or nil
  end
  for _, split in ipairs(want.splits) do
    local value = found[split] and found[split][want.name]
    if type(value) == 'number' then
      return value
    end
  end
  return nil
end

local compare = {
  ['>'] = function(a, b) return a > b end,
  ['>='] = function(a, b) return a >= b end,
  ['<'] = function(a, b) return a < b end,
  ['<='] = function(a, b) return a <= b end,
  ['='] = function(a, b) return a == b end,
  ['!='] = function(a, b) return a ~= b end,
}

local passes = {
  any = function(key, test)
    return test.values[redis.call('HGET', key, test.field) or test.absent or ''] == true
  end,
  contains = function(key, test)
    return string.find(string.lower(redis.call('HGET', key, test.field) or ''), test.text, 1, true) ~= nil
  end,
  within = function(key, test)
    local value = tonumber(redis.call('HGET', key, test.field) or '0')
    return (not test.low or value > test.low) and (not test.high or value < test.high)
  end,
  tagged = function(key, test)
    local tags = redis.call('HGET', key, 'tags')
    return tags ~= false and string.find(tags, '"' .. test.tag .. '"', 1, true) ~= nil
  end,
  figure = function(key, test)
    local value = figure(key, test)
    return value ~= nil and compare[test.sign](value, test.number)
  end,
}

local function passes_all(key)
  for _, test in ipairs(ask.tests) do
    if not passes[test.kind](key, test) then
      return false
    end
  end
  return true
end

local function value_of(key)
  if ask.by.figure then
    return figure(key, ask.by)
  end
  local text = redis.call('HGET', key, ask.by.field)
  if ask.by.text then
    -- In hexadecimal, since strings compare by the server's locale.
    return (string.gsub(text or '', '[%z\1-\255]', function(byte) return string.format('%02x', string.byte(byte)) end))
  end
  return tonumber(text or ask.by.absent)
end

-- Whether one place comes before another; those without a value come last.
local function earlier(id, value, other)
  if value == other.value then
    if ask.descending then
      return id > other.id
    end
    return id < other.id
  end
  if value == nil or other.value == nil then
    return other.value == nil
  end
  if ask.descending then
    return value > other.value
  end
  return value < other.value
end

local function later(id, value, other)
  return not earlier(id, value, other) and id ~= other.id
end

-- The next ids of all sources together: a job is in one of them at a time.
local function stretch()
  local found = {}
  for _, source in ipairs(ask.sources) do
    local ids
    if ask.ascending then
      ids = redis.call('ZRANGEBYLEX', source, ask.from, ask.to, 'LIMIT', 0, ask.chunk)
    else
      ids = redis.call('ZREVRANGEBYLEX', source, ask.from, ask.to, 'LIMIT', 0, ask.chunk)
    end
    for _, id in ipairs(ids) do
      table.insert(found, id)
    end
  end
  if #ask.sources > 1 then
    table.sort(found, function(a, b)
      if ask.ascending then
        return a < b
      end
      return a > b
    end)
  end
  return found
end

local ids = stretch()
local answer = { '' }
local count = 0
for place, id in ipairs(ids) do
  if place > ask.chunk or (not ask.by and count == ask.limit) then
    break
  end
  answer[1] = id
  local key = 'cj:job:' .. id
  if passes_all(key) then
    if not ask.by then
      table.insert(answer, id)
      count = count + 1
    else
      local value = value_of(key)
      local wanted = (not ask.beyond or later(id, value, ask.beyond))
        and (not ask.within or earlier(id, value, ask.within))
      if wanted then
        table.insert(answer, id)
        if type(value) == 'number' then
          value = string.format('%.17g', value)
        end
        table.insert(answer, value or false)
      end
    end
  end
end
if answer[1] == ids[#ids] and #ids < ask.chunk then
  answer[1] = ''
end
return answer
