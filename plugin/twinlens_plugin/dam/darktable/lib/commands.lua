--[[
What the buttons and shortcuts do. Each asks twinlens about the photos acted on (the one below the
mouse, or the selection, as everywhere in darktable), and says in one line what it did.
]]

local dt = require "darktable"
local json = require "twinlens.lib.json"
local answers = require("twinlens.lib.answers")(json)
local photos = require "twinlens.lib.photos"
local task = require "twinlens.lib.task"

local commands = {}

local NOTHING = "select photos first"
local SIMILAR = "darktable|twinlens|similar" -- below darktable|: in no sidecar and no export
local HOW_MANY = "50"

local count = answers.count

local function line(...)
  local parts = {}
  for i = 1, select("#", ...) do -- not ipairs: there are nils among them
    parts[#parts + 1] = (select(i, ...))
  end
  return table.concat(parts, "; ")
end

local function if_any(number, text)
  return number > 0 and text:format(number) or nil
end

local function acted_on()
  local images = {}
  for _, image in ipairs(dt.gui.action_images) do
    images[#images + 1] = image
  end
  return images
end

-- Returns the groups of images and the remarks of twinlens; nil and the line to show.
local function groups_of(self, images)
  local answer, remarks = task.ask(self, { "duplicates", "--json" }, photos.paths(images))
  if not answer then
    return nil, remarks
  end
  local groups, wrong = answers.groups(answer)
  if groups and #groups == 0 then
    return nil, line("no duplicates of these photos", remarks)
  end
  return groups, groups and remarks or wrong
end

-- Returns what darktable has of a group: the images of each file, and how many files it lacks.
local function images_of(group, map)
  local has, lacks = {}, 0
  for _, file in ipairs(group.files) do
    local images = map:find(file.path)
    lacks = lacks + (#images == 0 and 1 or 0)
    for _, image in ipairs(images) do
      has[#has + 1] = { image = image, keeper = file.path == group.keeper, goes = file.goes }
    end
  end
  return has, lacks
end

-- Selects images, but for those that are not in the collection shown; returns the ones selected.
-- darktable would select these too: unseen, until another collection shows them. It lists the seen.
local function select_shown(images)
  dt.gui.selection(images)
  local seen = dt.gui.selection()
  dt.gui.selection(seen)
  return seen
end

local function ids(images)
  local set = {}
  for _, image in ipairs(images) do
    set[image.id] = true
  end
  return set
end

-- Selects the duplicates of images with them; returns the line to show, and what is selected.
local function select_duplicates(self, images)
  local groups, remarks = groups_of(self, images)
  if not groups then
    return remarks
  end
  local map, found, lacking = photos.new(), {}, 0
  for _, group in ipairs(groups) do
    local has, lacks = images_of(group, map)
    lacking = lacking + lacks
    for _, one in ipairs(has) do
      found[#found + 1] = one.image
    end
  end
  local selected = select_shown(found)
  return line(
    ("%s selected, in %s"):format(count(#selected, "photo"), count(#groups, "group")),
    if_any(#found - #selected, "%d more not in this collection"),
    if_any(lacking, "%d not in darktable"), remarks), selected
end

--- Selects the duplicates of the photos acted on; returns what is selected.
function commands.select()
  local images = acted_on()
  if #images == 0 then
    return task.say(NOTHING)
  end
  return task.run("looking for duplicates", function(self) return select_duplicates(self, images) end)
end

--- The button of the module "select": darktable selects what is returned.
function commands.select_button()
  return commands.select() or dt.gui.selection()
end

-- The version that leads already stays the leader where it is the keeper's.
local function leader_of(has)
  local first
  for _, one in ipairs(has) do
    if one.keeper then
      first = first or one.image
      if one.image.group_leader.id == one.image.id then
        return one.image
      end
    end
  end
  return first or has[1].image
end

local function group_one(has)
  local leader = leader_of(has)
  for _, one in ipairs(has) do
    if one.image.group_leader.id ~= leader.group_leader.id then
      one.image:group_with(leader)
    end
  end
  if leader.group_leader.id ~= leader.id then
    leader:make_group_leader()
  end
end

--- Groups the photos of each group, the one to keep as the leader.
function commands.group()
  local images = acted_on()
  if #images == 0 then
    return task.say(NOTHING)
  end
  task.run("grouping duplicates", function(self)
    local groups, remarks = groups_of(self, images)
    if not groups then
      return remarks
    end
    local map, made, grouped, lacking = photos.new(), 0, 0, 0
    local done = task.each(self, groups, function(group)
      local has, lacks = images_of(group, map)
      lacking = lacking + lacks
      if #has > 1 then
        group_one(has)
        made, grouped = made + 1, grouped + #has
      end
    end)
    return line(
      ("%s in %s, the one to keep on top"):format(count(grouped, "photo"), count(made, "group")),
      done < #groups and "stopped" or nil,
      if_any(lacking, "%d not in darktable"), remarks)
  end)
end

-- What its user did to a photo is not undone by a flag: stars beyond those that imports give, edits.
local function is_cared_for(image)
  local given = dt.preferences.read("darktable", "ui_last/import_initial_rating", "integer")
  return image.rating > given or image.is_altered
end

-- Returns the images of a group to reject, and how many are left as they are.
local function spare_of(group, map)
  local spare, cared, keeper = {}, 0, false
  for _, one in ipairs((images_of(group, map))) do
    keeper = keeper or one.keeper
    if one.goes and one.image.rating ~= -1 then
      if is_cared_for(one.image) then
        cared = cared + 1
      else
        spare[#spare + 1] = one.image
      end
    end
  end
  if keeper and group.online then
    return spare, cared, 0
  end
  return {}, 0, #spare + cared
end

--- Rejects what twinlens proposes to remove: never the one to keep, nor what it would keep beside it.
function commands.reject()
  local images = acted_on()
  if #images == 0 then
    return task.say(NOTHING)
  end
  task.run("rejecting spare photos", function(self)
    local groups, remarks = groups_of(self, images)
    if not groups then
      return remarks
    end
    local map, spare, cared, alone = photos.new(), {}, 0, 0
    for _, group in ipairs(groups) do
      local these, rated, without = spare_of(group, map)
      table.move(these, 1, #these, #spare + 1, spare)
      cared, alone = cared + rated, alone + without
    end
    local done = task.each(self, spare, function(image)
      image.rating = -1
    end)
    return line(
      count(done, "photo") .. " rejected", done < #spare and "stopped" or nil,
      if_any(cared, "%d left for their stars or edits"),
      if_any(alone, "%d left: the one to keep is not in darktable, or its disk is away"), remarks)
  end)
end

--- Remembers that the photos acted on are no duplicates of one another.
function commands.not_duplicates()
  local paths = photos.paths(acted_on())
  if #paths < 2 then
    return task.say("select two photos or more that are no duplicates")
  end
  task.run("remembering", function(self)
    local answer, remarks = task.ask(self, { "decide", "--not-duplicates", "--json" }, paths)
    if not answer then
      return remarks
    end
    return count(#paths, "photo") .. " remembered as no duplicates of one another"
  end)
end

-- Shows images as a collection. The one before is among the recent collections.
local function show(images)
  local tag = dt.tags.create(SIMILAR)
  for _, image in ipairs(dt.tags.get_tagged_images(tag)) do
    dt.tags.detach(tag, image)
  end
  for _, image in ipairs(images) do
    dt.tags.attach(tag, image)
  end
  local rule = dt.gui.libs.collect.new_rule()
  rule.mode, rule.item = "DT_LIB_COLLECT_MODE_AND", "DT_COLLECTION_PROP_TAG"
  rule.data = SIMILAR
  dt.gui.libs.collect.filter({ rule })
end

-- Returns the images and those of matches, each once, and how many matches darktable lacks.
local function images_like(images, matches)
  local found = table.move(images, 1, #images, 1, {})
  local map, seen, lacking = photos.new(), ids(images), 0
  for _, match in ipairs(matches) do
    local these = map:find(match.path)
    lacking = lacking + (#these == 0 and 1 or 0)
    for _, image in ipairs(these) do
      if not seen[image.id] then
        seen[image.id] = true
        found[#found + 1] = image
      end
    end
  end
  return found, lacking
end

--- Shows the photos that look like those acted on, and these with them.
function commands.similar()
  local images = acted_on()
  if #images == 0 then
    return task.say(NOTHING)
  end
  task.run("looking for similar photos", function(self)
    local answer, remarks =
      task.ask(self, { "similar", "--json", "-k", HOW_MANY }, photos.paths(images), { [1] = true })
    local matches, wrong = answers.objects(answer or "")
    if not answer or not matches then
      return answer and wrong or remarks
    end
    local found, lacking = images_like(images, matches)
    if #found == #images then
      return line(remarks or "nothing like it", if_any(lacking, "%d not in darktable"))
    end
    show(found)
    return line(count(#found - #images, "photo") .. " like it", remarks)
  end)
end

return commands
