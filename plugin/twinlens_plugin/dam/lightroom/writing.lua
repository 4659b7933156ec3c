--[[
What is written into the catalog: collections, keywords, flags; never a photo, nor its metadata file.

Each step is short: Lightroom's lock is held during one of them, and what a step makes can be used
from the next one on.
]]

local LrApplication = import "LrApplication"
local LrErrors = import "LrErrors"

local writing = {}

local LOCK_SECONDS = 30
local BUSY = "The catalog is busy. Wait until Lightroom is done, then try again."

--- Calls write() with the lock. Raises where Lightroom does not give it.
function writing.step(title, write)
  local done = LrApplication.activeCatalog():withWriteAccessDo(
    "twinlens: " .. title, write, { timeout = LOCK_SECONDS })
  if done ~= "executed" then
    LrErrors.throwUserError(BUSY)
  end
end

--- Returns the collection set twinlens, or one in it; made where it is not there.
function writing.set(name)
  local catalog, set = LrApplication.activeCatalog(), nil
  writing.step("collections", function()
    set = catalog:createCollectionSet("twinlens", nil, true)
  end)
  if name then
    local outer = set
    writing.step("collections", function()
      set = catalog:createCollectionSet(name, outer, true)
    end)
  end
  return set
end

--- Makes collections in a set, and fills them: {{name = ..., photos = {...}}, ...}.
function writing.collections(set, wanted)
  local catalog, made = LrApplication.activeCatalog(), {}
  writing.step("collections", function()
    for i, one in ipairs(wanted) do
      made[i] = catalog:createCollection(one.name, set, true)
    end
  end)
  writing.step("collections", function()
    for i, one in ipairs(wanted) do
      made[i]:removeAllPhotos()
      made[i]:addPhotos(one.photos)
    end
  end)
  return made
end

--- Returns keywords below the keyword twinlens, by name; none of them is exported.
function writing.keywords(names)
  local catalog, found, top = LrApplication.activeCatalog(), {}, nil
  writing.step("keywords", function()
    top = catalog:createKeyword("twinlens", {}, false, nil, true)
  end)
  writing.step("keywords", function()
    for _, name in ipairs(names) do
      found[name] = catalog:createKeyword(name, {}, false, top, true)
    end
  end)
  return found
end

return writing
