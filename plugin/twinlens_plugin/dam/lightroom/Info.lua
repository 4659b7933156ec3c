local function entry(title, file)
  return { title = title, file = file, enabledWhen = "photosSelected" }
end

return {
  LrSdkVersion = 6.0,
  LrSdkMinimumVersion = 6.0,
  LrToolkitIdentifier = "invalid.twinlens.lightroom",
  LrPluginName = "twinlens",
  LrPluginInfoProvider = "PluginInfo.lua",
  LrLibraryMenuItems = {
    entry("Find duplicates of the selected photos", "Duplicates.lua"),
    entry("Find photos similar to the selected one", "Similar.lua"),
    entry("The selected photos are no duplicates", "NotDuplicates.lua"),
  },
  VERSION = { major = 0, minor = 1, revision = 0 },
}
