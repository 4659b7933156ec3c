--[[
Groups of duplicates in the catalog: a collection each, keywords, and flags where they are wanted.
]]

local LrApplication = import "LrApplication"

local photos = require "photos"
local writing = require "writing"

local groups = {}

local SET = "Duplicates"
local OURS = "%[%x%x%x%x%x%x%x%x%x%x%x%x%]$" -- how the names of our collections end
local AT_ONCE = 100
local PICK, REJECT = 1, -1

local function stem(path)
  return (path:match("([^/\\]*)$"):gsub("(.)%.[^.]*$", "%1"))
end

--[[ Returns the groups with what the catalog has of them: {name, keeper, spare, all}, `keeper` and
`spare` lists of photos; and how many files it has not. Spare is nothing where the keeper is not in
the catalog, or on a disk that is away. ]]
function groups.in_catalog(found, by_path)
  local known, lacking = {}, 0
  for _, group in ipairs(found) do
    local one = { name = ("%s [%s]"):format(stem(group.keeper), group.name), all = {}, spare = {} }
    for _, file in ipairs(group.files) do
      local photo = photos.find(file.path, by_path)
      one.all[#one.all + 1] = photo
      lacking = lacking + (photo and 0 or 1)
      if file.path == group.keeper then
        one.keeper = photo
      elseif photo and file.goes then
        one.spare[#one.spare + 1] = photo
      end
    end
    if not one.keeper or not group.online then
      one.spare = {}
    end
    if #one.all > 1 then
      known[#known + 1] = one
    end
  end
  return known, lacking
end

-- Collections of an earlier run go, where they have our names; the photos in them stay, of course.
local function clear(set)
  local old = {}
  for _, collection in ipairs(set:getChildCollections()) do
    if collection:getName():find(OURS) then
      old[#old + 1] = collection
    end
  end
  writing.step("collections", function()
    for _, collection in ipairs(old) do
      collection:delete()
    end
  end)
end

local function set_keywords(group, keywords)
  if group.keeper then
    group.keeper:removeKeyword(keywords.spare)
    group.keeper:addKeyword(keywords.keep)
  end
  for _, photo in ipairs(group.spare) do
    photo:removeKeyword(keywords.keep)
    photo:addKeyword(keywords.spare)
  end
end

-- What somebody said of a photo is not undone by a flag. Returns how many were left as they were.
local function set_flags(group)
  local left = 0
  local function flag(photo, status, free)
    if photo:getRawMetadata("pickStatus") == status then
      return
    elseif free then
      photo:setRawMetadata("pickStatus", status)
    else
      left = left + 1
    end
  end
  if group.keeper and #group.spare > 0 then
    flag(group.keeper, PICK, group.keeper:getRawMetadata("pickStatus") == 0)
  end
  for _, photo in ipairs(group.spare) do
    local stars = photo:getRawMetadata("rating") or 0
    flag(photo, REJECT, photo:getRawMetadata("pickStatus") == 0 and stars == 0)
  end
  return left
end

local function write(some, set, keywords, flags)
  local wanted, left = {}, 0
  for i, group in ipairs(some) do
    wanted[i] = { name = group.name, photos = group.all }
  end
  writing.collections(set, wanted)
  writing.step("keywords and flags", function()
    left = 0
    for _, group in ipairs(some) do
      set_keywords(group, keywords)
      left = left + (flags and set_flags(group) or 0)
    end
  end)
  return left
end

--- Writes the groups, and shows them. Returns how many were written, and photos left unflagged.
function groups.write(known, flags, scope)
  local set, keywords = writing.set(SET), writing.keywords({ "keep", "spare" })
  clear(set)
  local done, left = 0, 0
  while done < #known and not scope:isCanceled() do
    local some = {}
    for i = done + 1, math.min(done + AT_ONCE, #known) do
      some[#some + 1] = known[i]
    end
    left = left + write(some, set, keywords, flags)
    done = done + #some
    scope:setPortionComplete(done, #known)
  end
  LrApplication.activeCatalog():setActiveSources({ set })
  return done, left
end

--- Returns how many photos of groups are spare.
function groups.spare(known)
  local spare = 0
  for _, group in ipairs(known) do
    spare = spare + #group.spare
  end
  return spare
end

return groups
