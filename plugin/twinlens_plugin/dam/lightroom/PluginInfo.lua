local LrDialogs = import "LrDialogs"
local LrPrefs = import "LrPrefs"
local LrView = import "LrView"

local bind = LrView.bind

-- A label, a field for the preference `key`, and a button that looks for it on disk.
local function row(factory, label, key, panel)
  return factory:row {
    factory:static_text { title = label, width = LrView.share "twinlens_label" },
    factory:edit_field { value = bind(key), fill_horizontal = 1, immediate = true },
    factory:push_button {
      title = "Choose...",
      action = function()
        local chosen = LrDialogs.runOpenPanel(panel)
        if chosen then
          LrPrefs.prefsForPlugin()[key] = chosen[1]
        end
      end,
    },
  }
end

return {
  sectionsForTopOfDialog = function(factory)
    return {
      {
        title = "twinlens",
        bind_to_object = LrPrefs.prefsForPlugin(),
        factory:static_text {
          title = "Empty: the twinlens that wrote this plug-in, and the library that it takes.",
        },
        row(factory, "Program", "program",
          { title = "The program twinlens", canChooseFiles = true, canChooseDirectories = false }),
        row(factory, "Library", "library",
          { title = "Folder of the twinlens library", canChooseFiles = false,
            canChooseDirectories = true }),
      },
    }
  end,
}
