local LrDialogs = import "LrDialogs"

local ask = require "ask"
local groups = require "groups"
local menu = require "menu"
local answers = require "answers"(require "json")

local count = answers.count

local function what_to_do(known)
  return LrDialogs.confirm(
    ("%s of duplicates, %s to spare."):format(
      count(#known, "group"), count(groups.spare(known), "photo")),
    "Each group becomes a collection in the set twinlens. The photos to keep can be flagged as"
      .. " picks and the spare ones as rejects; what has a flag or stars already stays as it is."
      .. " Nothing is deleted.",
    "Collect and flag", "Cancel", "Collect only")
end

local function report(done, known, left, lacking, remarks)
  local more = {}
  if left > 0 then
    more[#more + 1] = count(left, "photo") .. " not flagged: they have flags or stars of yours."
  end
  if lacking > 0 then
    more[#more + 1] = count(lacking, "file") .. " of these groups not in this catalog."
  end
  more[#more + 1] = remarks
  local stopped = done < #known and (" of %d; cancelled"):format(#known) or ""
  return count(done, "group") .. " collected" .. stopped .. ".", table.concat(more, "\n")
end

menu("looking for duplicates", 1, function(scope, paths, by_path)
  local answer, remarks = ask(scope, { "duplicates" }, paths)
  if not answer then
    return remarks
  end
  local found, wrong = answers.groups(answer)
  if not found then
    return wrong
  end
  local known, lacking = groups.in_catalog(found, by_path)
  if #known == 0 then
    return "No duplicates of these photos in this catalog.", remarks
  end
  local choice = what_to_do(known)
  if choice == "cancel" then
    return nil
  end
  local done, left = groups.write(known, choice == "ok", scope)
  return report(done, known, left, lacking, remarks)
end)
