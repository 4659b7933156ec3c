local LrApplication = import "LrApplication"

local ask = require "ask"
local menu = require "menu"
local photos = require "photos"
local writing = require "writing"
local answers = require "answers"(require "json")

local HOW_MANY = "50"

-- Returns the photos asked about and those like them, each once, and how many are not in the catalog.
local function in_catalog(matches, by_path)
  local found, seen, lacking = {}, {}, 0
  for _, photo in pairs(by_path) do
    found[#found + 1] = photo
    seen[photo] = true
  end
  for _, match in ipairs(matches) do
    local photo = photos.find(match.path, by_path)
    if not photo then
      lacking = lacking + 1
    elseif not seen[photo] then
      seen[photo] = true
      found[#found + 1] = photo
    end
  end
  return found, lacking
end

menu("looking for similar photos", 1, function(scope, paths, by_path)
  local answer, remarks = ask(scope, { "similar", "-k", HOW_MANY }, paths, true)
  if not answer then
    return remarks
  end
  local matches, wrong = answers.objects(answer)
  if not matches then
    return wrong
  end
  local found, lacking = in_catalog(matches, by_path)
  local more = lacking > 0 and answers.count(lacking, "similar photo") .. " not in this catalog." or nil
  if #found == #paths then
    return "Nothing like it in this catalog.", remarks or more
  end
  local made = writing.collections(writing.set(), { { name = "Similar photos", photos = found } })
  LrApplication.activeCatalog():setActiveSources(made)
  return answers.count(#found - #paths, "similar photo") .. " in the collection Similar photos.",
    remarks or more
end)
