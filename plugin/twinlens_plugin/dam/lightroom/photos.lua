--[[
From Lightroom's photos to paths and back. Call it in a task.

twinlens knows files: virtual copies have none of their own, videos it does not read. Both are left
out, and so are photos whose files are missing.
]]

local LrApplication = import "LrApplication"
local LrFileUtils = import "LrFileUtils"

local command = require "command"
local answers = require "answers"(require "json")

local photos = {}

local function why_left_out(facts)
  return facts.isVirtualCopy and "virtual copy" or facts.isVideo and "video"
    or not LrFileUtils.exists(facts.path) and "missing file" or nil
end

local function left_out(counts)
  local parts = {}
  for _, what in ipairs({ "virtual copy", "video", "missing file" }) do
    local many = what == "virtual copy" and "virtual copies" or nil
    if counts[what] then
      parts[#parts + 1] = answers.count(counts[what], what, many)
    end
  end
  return #parts > 0 and "Left out: " .. table.concat(parts, ", ") .. "." or nil
end

--- Returns the paths of photos, each once, the photos by path, and a line on what was left out.
function photos.paths(selected)
  local catalog = LrApplication.activeCatalog()
  local facts = catalog:batchGetRawMetadata(selected, { "path", "isVirtualCopy", "isVideo" })
  local paths, by_path, counts = {}, {}, {}
  for _, photo in ipairs(selected) do
    local why = why_left_out(facts[photo])
    if why then
      counts[why] = (counts[why] or 0) + 1
    elseif not by_path[facts[photo].path] then
      paths[#paths + 1] = facts[photo].path
      by_path[facts[photo].path] = photo
    end
  end
  return paths, by_path, left_out(counts)
end

--- Returns the photo of a path that twinlens named; nil where the catalog has none.
function photos.find(path, by_path)
  local native = command.native(path, WIN_ENV)
  return by_path[native] or LrApplication.activeCatalog():findPhotoByPath(native)
end

return photos
