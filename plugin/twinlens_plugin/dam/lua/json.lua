--[[
Reads the JSON that twinlens prints. For Lua 5.1 (Lightroom) and 5.4 (darktable) alike.

Strings come out as bytes: text as UTF-8, and a path with bytes that are no UTF-8, of which twinlens
makes lone surrogates (PEP 383, "\udcff"), as the very bytes. A null is nil.
]]

local json = {}

local ESCAPED = {
  ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t",
}

local function fail(at, what)
  error({ message = ("no JSON at character %d: %s"):format(at, what) }, 0)
end

-- The `shift`-th six bits of a code point, as a byte that goes on a character of UTF-8.
local function rest(code, shift)
  return 0x80 + math.floor(code / 64 ^ shift) % 64
end

local function utf8_of(code)
  if code < 0x80 then
    return string.char(code)
  elseif code < 0x800 then
    return string.char(0xC0 + math.floor(code / 64), rest(code, 0))
  elseif code < 0x10000 then
    return string.char(0xE0 + math.floor(code / 4096), rest(code, 1), rest(code, 0))
  end
  return string.char(0xF0 + math.floor(code / 262144), rest(code, 2), rest(code, 1), rest(code, 0))
end

-- Returns what \uXXXX stands for, its digits at `at`, and where to go on.
local function read_unicode(text, at)
  local code = tonumber(text:match("^%x%x%x%x", at) or fail(at, "four hex digits missing"), 16)
  if code >= 0xDC80 and code <= 0xDCFF then
    return string.char(code - 0xDC00), at + 4
  elseif code >= 0xD800 and code <= 0xDBFF then
    local low = tonumber(text:match("^\\u([Dd][C-Fc-f]%x%x)", at + 4) or fail(at, "half a pair"), 16)
    return utf8_of(0x10000 + (code - 0xD800) * 0x400 + (low - 0xDC00)), at + 10
  end
  return utf8_of(code), at + 4
end

-- Returns the string whose first character is at `at`, after its quote, and where to go on.
local function read_string(text, at)
  local parts = {}
  while true do
    local stop = text:find('["\\]', at) or fail(at, "a string has no end")
    parts[#parts + 1] = text:sub(at, stop - 1)
    if text:sub(stop, stop) == '"' then
      return table.concat(parts), stop + 1
    end
    local letter = text:sub(stop + 1, stop + 1)
    if letter == "u" then
      parts[#parts + 1], at = read_unicode(text, stop + 2)
    else
      parts[#parts + 1] = ESCAPED[letter] or fail(stop, "an unknown escape")
      at = stop + 2
    end
  end
end

local function skip(text, at)
  return text:find("[^ \t\r\n]", at) or #text + 1
end

local read_value

local function read_array(text, at)
  local array, n = {}, 0
  at = skip(text, at)
  if text:sub(at, at) == "]" then
    return array, at + 1
  end
  while true do
    n = n + 1
    array[n], at = read_value(text, at)
    at = skip(text, at)
    local sign = text:sub(at, at)
    if sign == "]" then
      return array, at + 1
    elseif sign ~= "," then
      fail(at, "a comma or ] is missing")
    end
    at = skip(text, at + 1)
  end
end

local function read_member(text, at)
  if text:sub(at, at) ~= '"' then
    fail(at, "a name is missing")
  end
  local name, value
  name, at = read_string(text, at + 1)
  at = skip(text, at)
  if text:sub(at, at) ~= ":" then
    fail(at, "a colon is missing")
  end
  value, at = read_value(text, skip(text, at + 1))
  return name, value, at
end

local function read_object(text, at)
  local object = {}
  at = skip(text, at)
  if text:sub(at, at) == "}" then
    return object, at + 1
  end
  while true do
    local name, value
    name, value, at = read_member(text, at)
    object[name] = value
    at = skip(text, at)
    local sign = text:sub(at, at)
    if sign == "}" then
      return object, at + 1
    elseif sign ~= "," then
      fail(at, "a comma or } is missing")
    end
    at = skip(text, at + 1)
  end
end

local function read_word(text, at)
  local word = text:match("^%a+", at)
  if word == "true" or word == "false" then
    return word == "true", at + #word
  elseif word == "null" then
    return nil, at + 4
  end
  local number = text:match("^-?%d+%.?%d*[eE]?[+-]?%d*", at)
  return tonumber(number or "") or fail(at, "no value"), at + #number
end

function read_value(text, at)
  local sign = text:sub(at, at)
  if sign == '"' then
    return read_string(text, at + 1)
  elseif sign == "{" then
    return read_object(text, at + 1)
  elseif sign == "[" then
    return read_array(text, at + 1)
  end
  return read_word(text, at)
end

--- Returns the value of a JSON text; or nil and why it is none.
function json.decode(text)
  local ok, value, at = pcall(read_value, text, skip(text, 1))
  if not ok then
    return nil, type(value) == "table" and value.message or tostring(value)
  elseif skip(text, at) <= #text then
    return nil, ("no JSON at character %d: more than one value"):format(at)
  end
  return value
end

return json
