--[[
darktable's Lua API (9.0), as far as the script needs it, by its documentation and sources. Each event
runs in a thread of its own (a coroutine); execute and sleep let go of the lock, so that others run.

darktable(world): world.films = {{path=, images = {{filename=, rating=, is_altered=, version=}}}},
world.start(line) -> number, world.status(number) -> nil while it runs, then the status of wait(2);
world.asking() -> whether twinlens runs now. world.prefs, world.view, world.ending.
]]

return function(world)
  local threads = {}
  local seen = {
    printed = {}, jobs = {}, shortcuts = {}, events = {}, buttons = {}, looked_up = 0,
    libs = {}, preferences = {}, registered = {}, slept = 0,
  }

  local function start(func, ...)
    local given = { ... }
    threads[#threads + 1] = coroutine.create(function() func(table.unpack(given)) end)
  end

  -- Runs all threads in turn, each until it lets go of the lock.
  local function run_all()
    while #threads > 0 do
      local thread = table.remove(threads, 1)
      local ok, wrong = coroutine.resume(thread)
      if not ok then
        error(wrong, 0)
      elseif coroutine.status(thread) ~= "dead" then
        threads[#threads + 1] = thread
      end
    end
  end

  -- images ----------------------------------------------------------------------------------------

  local images, films = {}, {}
  local Image = {}
  local stored = setmetatable({}, { __mode = "k" })

  function Image.__index(image, key)
    local facts = stored[image]
    if key == "group_leader" then
      return images[facts.group]
    elseif key == "group_with" then
      return function(_, other)
        facts.group = stored[other].group
      end
    elseif key == "make_group_leader" then
      return function()
        local old = facts.group
        for _, one in ipairs(images) do
          if stored[one].group == old then
            stored[one].group = facts.id
          end
        end
      end
    end
    assert(facts[key] ~= nil, "an image has no " .. tostring(key))
    return facts[key]
  end

  function Image.__newindex(image, key, value)
    assert(key == "rating" and value >= -1 and value <= 5, "only ratings are set")
    stored[image].rating = value
  end

  local function new_image(film, facts)
    local image = setmetatable({}, Image)
    local id = #images + 1
    stored[image] = {
      id = id, path = film.path, filename = facts.filename, rating = facts.rating or 1,
      is_altered = facts.is_altered or false, duplicate_index = facts.version or 0, group = id,
    }
    images[id] = image
    return image
  end

  -- Lists that count what is looked up in them.
  local function list_of(items, fields)
    return setmetatable({}, {
      __len = function() return #items end,
      __index = function(_, key)
        if type(key) == "number" then
          seen.looked_up = seen.looked_up + 1
          return items[key]
        end
        return fields and fields[key]
      end,
    })
  end

  for i, film in ipairs(world.films) do
    local own = {}
    for j, facts in ipairs(film.images) do
      own[j] = new_image(film, facts)
    end
    films[i] = list_of(own, { path = film.path })
  end

  -- the API ---------------------------------------------------------------------------------------

  local dt = { collection = {} }
  local selected, acted_on, collection = {}, nil, images

  setmetatable(dt.collection, {
    __len = function() return #collection end,
    __index = function(_, i) return collection[i] end,
  })
  dt.films = list_of(films)
  dt.configuration = { api_version_major = world.api or 9 }

  function dt.print(text)
    seen.printed[#seen.printed + 1] = text
  end
  dt.print_log = function() end
  function dt.print_error(text)
    seen.printed[#seen.printed + 1] = "error: " .. text
  end

  dt.preferences = {
    register = function(script, name, kind, label, tooltip, default)
      assert(script == "twinlens" and label and tooltip)
      seen.preferences[name] = { kind = kind, default = default }
    end,
    read = function(script, name, kind)
      if script == "darktable" then
        return 1
      end
      local registered = assert(seen.preferences[name], "not registered: " .. name)
      assert(registered.kind == kind)
      if world.prefs[name] ~= nil then
        return world.prefs[name]
      end
      return registered.default
    end,
  }

  dt.control = setmetatable({
    dispatch = start,
    sleep = function(ms)
      seen.slept = seen.slept + ms
      coroutine.yield()
    end,
    execute = function(line)
      local number, status = world.start(line), nil
      while not status do
        coroutine.yield()
        status = world.status(number)
      end
      return status
    end,
  }, { __index = function(_, key)
    assert(key == "ending")
    return world.ending or false
  end })

  local Job = {}
  function Job.__index(job, key) return rawget(job, "_" .. key) end
  function Job.__newindex(job, key, value)
    if key == "percent" then
      assert(job._valid, "Accessing an invalid job")
      assert(value >= 0 and value <= 1)
    else
      assert(key == "valid" and value == false)
    end
    rawset(job, "_" .. key, value)
  end

  dt.gui = {
    -- Takes any image, and lists those that are shown.
    selection = function(new)
      local before = {}
      for _, image in ipairs(selected) do
        for _, one in ipairs(collection) do
          if one == image then
            before[#before + 1] = image
          end
        end
      end
      selected = new and { table.unpack(new) } or selected
      return before
    end,
    current_view = function() return { id = world.view or "lighttable" } end,
    create_job = function(text, bar, cancel)
      assert(type(bar) == "boolean")
      local job = setmetatable({ _valid = true, _percent = 0 }, Job)
      seen.jobs[#seen.jobs + 1] = { text = text, cancel = cancel, job = job }
      return job
    end,
    views = { lighttable = "lighttable" },
    libs = {
      select = {
        register_selection = function(name, label, func, tooltip)
          assert(name and label and tooltip)
          seen.select_button = func
        end,
      },
      collect = {
        new_rule = function() return {} end,
        filter = function(rules)
          local rule = rules[1]
          assert(rule.mode == "DT_LIB_COLLECT_MODE_AND" and rule.item == "DT_COLLECTION_PROP_TAG")
          collection = dt.tags.get_tagged_images({ name = rule.data })
        end,
      },
    },
  }
  setmetatable(dt.gui, { __index = function(_, key)
    assert(key == "action_images", key)
    return acted_on or selected
  end })

  local tagged = {}
  dt.tags = {
    create = function(name)
      tagged[name] = tagged[name] or {}
      return { name = name }
    end,
    attach = function(tag, image) tagged[tag.name][stored[image].id] = true end,
    detach = function(tag, image) tagged[tag.name][stored[image].id] = nil end,
    get_tagged_images = function(tag)
      local found = {}
      for i, image in ipairs(images) do
        if tagged[tag.name][i] then
          found[#found + 1] = image
        end
      end
      return found
    end,
  }

  function dt.new_widget(kind)
    return function(given)
      given.kind = kind
      if kind == "button" then
        seen.buttons[given.label] = given.clicked_callback
      end
      return given
    end
  end

  function dt.register_lib(name, label, expandable, resetable, places, widget)
    assert(name == "twinlens" and label and expandable and not resetable and places.lighttable)
    assert(#widget > 0)
    seen.libs[#seen.libs + 1] = name
  end

  function dt.register_event(name, event, func, label)
    assert(not seen.registered[event .. name], "registered twice: " .. name)
    seen.registered[event .. name] = true
    if event == "shortcut" then
      seen.shortcuts[label] = func
    else
      seen.events[event] = func
    end
  end

  package.preload["darktable"] = function() return dt end

  return {
    -- Calls func() in a thread of its own while twinlens runs.
    meanwhile = function(func)
      start(function()
        while not world.asking() do
          coroutine.yield()
        end
        func()
      end)
    end,
    seen = seen, images = images, start = start, run_all = run_all, dt = dt,
    select = function(some) selected = some end,
    hover = function(some) acted_on = some end,
    show = function(some) collection = some end,
    selected = function() return selected end,
    shown = function() return collection end,
    tagged = function(name) return tagged[name] and dt.tags.get_tagged_images({ name = name }) or {} end,
    version = function(film, facts) return new_image(film, facts) end,
  }
end
