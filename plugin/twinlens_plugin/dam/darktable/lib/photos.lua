--[[
From paths to darktable's images and back.

The Lua API has no way from a path to its image. Each dt.database[i] makes SQLite count from the
first image on: to map 200,000 that way takes minutes. Film rolls are few, and one film roll's
images are found by an index: only those folders are looked at that an answer names, each once.
]]

local dt = require "darktable"
local program = require "twinlens.lib.program"

local photos = {}
photos.__index = photos

local AT_ONCE = 500

--- Returns an empty map: it is good for one command, since images come and go.
function photos.new()
  return setmetatable({ films = nil, folders = {}, resolved = false }, photos)
end

local function joined(folder, name)
  return (folder == "/" and "" or folder) .. "/" .. name
end

--- Returns the path of an image.
function photos.path(image)
  return joined(image.path, image.filename)
end

--- Returns the paths of images, each once: several versions of a photo share it.
function photos.paths(images)
  local paths, seen = {}, {}
  for i, image in ipairs(images) do
    local path = photos.path(image)
    if not seen[path] then
      seen[path] = true
      paths[#paths + 1] = path
    end
    if i % AT_ONCE == 0 then
      dt.control.sleep(0) -- lets others have the lock
    end
  end
  return paths
end

local function append(lists, key, value)
  local list = lists[key] or {}
  list[#list + 1] = value
  lists[key] = list
end

local function films_by_folder()
  local films = {}
  for i = 1, #dt.films do
    local film = dt.films[i]
    append(films, film.path, film)
  end
  return films
end

-- Adds the film rolls under the real paths of their folders: twinlens has no links in its paths.
local function add_real_folders(films)
  local folders = {}
  for folder in pairs(films) do
    folders[#folders + 1] = folder
  end
  for i, real in ipairs(program.real_folders(folders)) do
    if real ~= "" and real ~= folders[i] then
      for _, film in ipairs(films[folders[i]]) do
        append(films, real, film)
      end
    end
  end
end

local function images_of(films)
  local images = {}
  for _, film in ipairs(films) do
    for i = 1, #film do
      local image = film[i]
      append(images, image.filename, image)
      if i % AT_ONCE == 0 then
        dt.control.sleep(0)
      end
    end
  end
  return images
end

function photos:_films_of(folder)
  self.films = self.films or films_by_folder()
  if not self.films[folder] and not self.resolved then
    self.resolved = true
    add_real_folders(self.films)
  end
  return self.films[folder] or {}
end

--- Returns the images of a path, the version that came first first; none where darktable has none.
function photos:find(path)
  local folder, name = path:match("^(.*)/([^/]*)$")
  folder = folder == "" and "/" or folder
  if not self.folders[folder] then
    self.folders[folder] = images_of(self:_films_of(folder))
  end
  return self.folders[folder][name] or {}
end

return photos
