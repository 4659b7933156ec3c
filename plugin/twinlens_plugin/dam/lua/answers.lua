--[[
What twinlens answered, as tables: its JSON lines and its remarks. Pure, for Lua 5.1 and 5.4.

answers = require("answers")(json): photo managers load modules each in a way of its own.
]]

return function(json)
  local answers = {}

  -- Returns the object of each line; or nil and what is wrong.
  local function objects(text)
    local found = {}
    for line in text:gmatch("[^\r\n]+") do
      local object, wrong = json.decode(line)
      if type(object) ~= "table" then
        return nil, "the answer of twinlens cannot be read: " .. (wrong or "no object")
      end
      found[#found + 1] = object
    end
    return found
  end

  -- The files of a photo: RAW and JPEG of one shot stay and go together.
  local function add_files(group, photo)
    local goes = photo.proposal == "remove"
    group.files[#group.files + 1] = { path = photo.path, goes = goes }
    for _, companion in ipairs(photo.companions) do
      group.files[#group.files + 1] = { path = companion.path, goes = goes }
    end
  end

  --[[ Returns the groups of `duplicates --json`: each with its name, the path of the one to keep,
  whether that is on a disk that is there now, and its files, those of the keeper first, each with
  its path and whether it is proposed to go. Or nil and what is wrong. ]]
  function answers.groups(text)
    local found, wrong = objects(text)
    if not found then
      return nil, wrong
    end
    local groups = {}
    for _, object in ipairs(found) do
      local group = { name = object.group, keeper = object.keeper, files = {} }
      for _, photo in ipairs(object.photos) do
        add_files(group, photo)
      end
      group.online = object.photos[1].online
      groups[#groups + 1] = group
    end
    return groups
  end

  --- Returns the objects of `similar --json` or `check --json`; or nil and what is wrong.
  answers.objects = objects

  --- Returns how many decisions `decide --json` remembered; nil where it did not say.
  function answers.remembered(text)
    local found = objects(text)
    return found and found[1] and found[1].remembered
  end

  --- Returns what twinlens said beside its answer, as one line; nil where it said nothing.
  function answers.remarks(text)
    local said = {}
    for line in text:gmatch("[^\r\n]+") do
      said[#said + 1] = line:match("^twinlens: (.*)") or line:match("^Error: (.*)")
    end
    return #said > 0 and table.concat(said, " ") or nil
  end

  --- Returns "1 photo", "2 photos".
  function answers.count(number, one, many)
    return ("%d %s"):format(number, number == 1 and one or many or one .. "s")
  end

  return answers
end
