--[[
Lightroom's SDK, as far as the plug-in needs it, by its documentation (SDK 11.4): what may be called
in a task alone raises elsewhere, what writes raises outside of withWriteAccessDo, and what a write
has made can be looked at only when it is over.

A task is a coroutine; `execute`, `sleep` and write access yield, so that tasks take turns.

lightroom(world): world.photos = {{path=, isVirtualCopy=, isVideo=, pickStatus=, rating=}, ...},
world.selected (numbers), world.run(line) -> exit status, world.exists(path), world.read(path),
world.delete(path), world.make_folder(path), world.temp, world.answer (to LrDialogs.confirm),
world.prefs, world.busy (seconds that someone else writes), world.cancel_after (polls).
]]

return function(world)
  local tasks, inside, writing, clock = {}, false, false, 0
  local seen = { messages = {}, questions = {}, errors = {}, sources = nil, undo = {}, scopes = {} }

  local function in_task(what)
    if not inside then
      error(what .. " must be called from within an asynchronous task", 3)
    end
  end

  local function in_write(what)
    if not writing then
      error(what .. " must be called from within withWriteAccessDo", 3)
    end
  end

  local function start(func, context)
    tasks[#tasks + 1] = { coroutine = coroutine.create(func), context = context }
  end

  -- What was made in a write is there from its end on.
  local function settled(object, what)
    if object.made_in and object.made_in == writing then
      error(what .. ": not available until withWriteAccessDo has returned", 3)
    end
  end

  -- photos, keywords, collections ------------------------------------------------------------------

  local Photo = {}
  Photo.__index = Photo
  local RAW = { path = true, isVirtualCopy = true, isVideo = true, pickStatus = true, rating = true }

  function Photo:getRawMetadata(key)
    in_task("getRawMetadata")
    assert(RAW[key], "unknown key " .. tostring(key))
    return self.facts[key]
  end

  function Photo:setRawMetadata(key, value)
    in_write("setRawMetadata")
    assert(key == "pickStatus" and (value == -1 or value == 0 or value == 1), "no such value")
    self.facts[key] = value
  end

  function Photo:addKeyword(keyword)
    in_write("addKeyword")
    settled(keyword, "addKeyword")
    self.keywords[keyword] = true
  end

  function Photo:removeKeyword(keyword)
    in_write("removeKeyword")
    self.keywords[keyword] = nil
  end

  local photos = {}
  for i, facts in ipairs(world.photos) do
    photos[i] = setmetatable({ facts = facts, keywords = {} }, Photo)
  end

  local Collection = {}
  Collection.__index = Collection

  function Collection:getName()
    in_task("getName")
    settled(self, "getName")
    return self.name
  end

  function Collection:addPhotos(some)
    in_write("addPhotos")
    for _, photo in ipairs(some) do
      assert(getmetatable(photo) == Photo, "addPhotos takes photos")
      self.photos[photo] = true
    end
  end

  function Collection:removeAllPhotos()
    in_write("removeAllPhotos")
    self.photos = {}
  end

  function Collection:delete()
    in_write("delete")
    self.parent.children[self.name] = nil
  end

  function Collection:getChildCollections()
    in_task("getChildCollections")
    settled(self, "getChildCollections")
    local found = {}
    for _, child in pairs(self.children) do
      if not child.is_set then
        found[#found + 1] = child
      end
    end
    return found
  end

  local top = setmetatable({ name = "", is_set = true, children = {} }, Collection)

  local function create(name, parent, prior, is_set)
    in_write("createCollection")
    parent = parent or top
    settled(parent, "createCollection")
    assert(type(name) == "string" and name ~= "", "a collection needs a name")
    if parent.children[name] then
      return prior and parent.children[name] or nil
    end
    local made = setmetatable(
      { name = name, parent = parent, is_set = is_set, children = {}, photos = {}, made_in = writing },
      Collection)
    parent.children[name] = made
    return made
  end

  -- the catalog -----------------------------------------------------------------------------------

  local catalog = {}
  local keywords = {}

  function catalog:getTargetPhotos()
    local found = {}
    for _, i in ipairs(world.selected) do
      found[#found + 1] = photos[i]
    end
    return #found > 0 and found or photos
  end

  function catalog:batchGetRawMetadata(some, keys)
    in_task("batchGetRawMetadata")
    local found = {}
    for _, photo in ipairs(some) do
      found[photo] = {}
      for _, key in ipairs(keys) do
        found[photo][key] = photo:getRawMetadata(key)
      end
    end
    return found
  end

  function catalog:findPhotoByPath(path)
    in_task("findPhotoByPath")
    for _, photo in ipairs(photos) do
      if photo.facts.path == path and not photo.facts.isVirtualCopy then
        return photo
      end
    end
  end

  function catalog:createCollectionSet(name, parent, prior)
    return create(name, parent, prior, true)
  end

  function catalog:createCollection(name, parent, prior)
    return create(name, parent, prior, false)
  end

  function catalog:createKeyword(name, synonyms, export, parent, existing)
    in_write("createKeyword")
    assert(type(synonyms) == "table", "synonyms are a table")
    if parent then
      settled(parent, "createKeyword")
    end
    local path = (parent and parent.path .. "|" or "") .. name
    if keywords[path] then
      return existing and keywords[path] or false
    end
    keywords[path] = { path = path, export = export, made_in = writing }
    return keywords[path]
  end

  function catalog:setActiveSources(sources)
    assert(not writing, "setActiveSources within a write")
    seen.sources = sources
    return true
  end

  function catalog:withWriteAccessDo(title, func, params)
    in_task("withWriteAccessDo")
    assert(not writing, "withWriteAccessDo within withWriteAccessDo")
    local waited = 0
    while clock < (world.busy or 0) do
      if not params then
        error("write access is taken", 2)
      elseif waited >= params.timeout then
        return "aborted"
      end
      waited, clock = waited + 1, clock + 1
      coroutine.yield()
    end
    writing = {}
    local ok, wrong = pcall(func)
    writing = false
    if not ok then
      error(wrong, 0)
    end
    seen.undo[#seen.undo + 1] = title
    return "executed"
  end

  -- modules ---------------------------------------------------------------------------------------

  local modules = {}

  modules.LrApplication = { activeCatalog = function() return catalog end }

  modules.LrTasks = {
    startAsyncTask = function(func) start(func) end,
    sleep = function(seconds)
      in_task("sleep")
      clock = clock + seconds
      coroutine.yield()
    end,
    execute = function(line)
      in_task("execute")
      coroutine.yield() -- other tasks go on meanwhile
      return world.run(line)
    end,
  }

  modules.LrFunctionContext = {
    postAsyncTaskWithContext = function(name, func)
      local context = { name = name }
      start(function() func(context) end, context)
    end,
  }

  modules.LrDialogs = {
    attachErrorDialogToFunctionContext = function(context) context.shown = true end,
    message = function(message, info, style)
      assert(style == "info" or style == "warning" or style == "critical")
      seen.messages[#seen.messages + 1] = { message = message, info = info }
    end,
    confirm = function(message, info, action, cancel, other)
      seen.questions[#seen.questions + 1] =
        { message = message, info = info, action = action, cancel = cancel, other = other }
      return world.answer
    end,
    runOpenPanel = function() return world.chosen end,
  }

  modules.LrErrors = {
    throwUserError = function(text) error(text, 0) end,
  }

  modules.LrFileUtils = {
    exists = world.exists,
    readFile = world.read,
    delete = world.delete,
    createDirectory = world.make_folder,
    chooseUniqueFileName = function(path)
      local unique, n = path, 1
      while world.exists(unique) do
        n = n + 1
        unique = path .. "-" .. n
      end
      return unique
    end,
  }

  local separator = world.windows and "\\" or "/"
  modules.LrPathUtils = {
    getStandardFilePath = function(name)
      assert(name == "temp")
      return world.temp
    end,
    child = function(folder, name) return folder .. separator .. name end,
  }

  modules.LrPrefs = { prefsForPlugin = function() return world.prefs end }

  modules.LrProgressScope = setmetatable({}, {
    __call = function(_, given)
      assert(given.title and given.functionContext, "a scope needs its title and context")
      local scope, polls = { title = given.title, portions = {} }, 0
      function scope.setCancelable() end
      function scope.setPortionComplete(_, done, of)
        scope.portions[#scope.portions + 1] = done / of
      end
      function scope.isCanceled()
        polls = polls + 1
        return world.cancel_after ~= nil and polls > world.cancel_after
      end
      function scope.done() scope.is_done = true end
      seen.scopes[#seen.scopes + 1] = scope
      return scope
    end,
  })

  modules.LrView = {
    bind = function(key) return { bound_to = key } end,
    share = function(name) return { shared = name } end,
  }

  -- An error that no dialog shows is an error of the test.
  local function failed(task, wrong)
    if not (task.context and task.context.shown) then
      error(wrong, 0)
    end
    seen.errors[#seen.errors + 1] = tostring(wrong)
  end

  -- Runs tasks in turn until none is left.
  local function run_all()
    while #tasks > 0 do
      local task = table.remove(tasks, 1)
      inside = true
      local ok, wrong = coroutine.resume(task.coroutine)
      inside = false
      if not ok then
        failed(task, wrong)
      elseif coroutine.status(task.coroutine) ~= "dead" then
        tasks[#tasks + 1] = task
      end
    end
  end

  return {
    import = function(name) return assert(modules[name], "no module " .. name) end,
    run_all = run_all, seen = seen, photos = photos, top = top, keywords = keywords,
    catalog = catalog,
  }
end
